// The table of all trials: made from their columns, sorted, filtered, opened, exported.
const table = document.getElementById("trials"), body = table.tBodies[0];

const MOST = 300;                       // rows that are written at once: a browser lays out thousands only slowly
const lines = new Map();                // by place among the columns' cells, made when first shown
let order = numbers.map((_, row) => row), limit = MOST;

function lineOf(row) {
  if (!lines.has(row)) lines.set(row, made(row));
  return lines.get(row);
}

function made(row) {
  const front = onFront.has(numbers[row]), line = element("tr", { className: front ? "front" : cell(columns.state, row) });
  const dot = front ? '<span class="dot" title="on the front">●<span class="hidden"> on the front</span></span> ' : "";
  const cells = trials.columns.slice(1).map(column =>
    `<td${column.text ? ' class="text"' : ""}>${escaped(cell(column, row))}</td>`);
  line.dataset.row = row;
  line.innerHTML = `<th scope="row">${dot}<button type="button" class="pick" aria-expanded="false">${numbers[row]}`
    + `</button></th>${cells.join("")}`;
  if (numbers[row] === chosen) line.setAttribute("aria-current", "true");
  return line;
}

const heads = trials.columns.map(column => `<th scope="col"${column.text ? ' class="text"' : ""}`
  + ` title="${escaped(column.meaning)}"><button type="button">${escaped(column.heading)}</button></th>`);
table.tHead.innerHTML = `<tr>${heads.join("")}</tr>`;

const search = document.getElementById("search"), only = document.getElementById("only-front");
const shown = document.getElementById("shown"), more = document.getElementById("more");
const words = row => trials.columns.map(column => cell(column, row)).join(" ").toLowerCase();

function matching() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  return order.filter(row => (!only.checked || onFront.has(numbers[row]))
    && (!wanted.length || wanted.every(word => words(row).includes(word))));
}

function fill() {
  closeRows();
  const rows = matching();
  body.replaceChildren(...rows.slice(0, limit).map(lineOf));
  shown.textContent = rows.length === count ? "" : `${rows.length} of ${count} trials`;
  more.hidden = rows.length <= limit;
  more.textContent = `Show all ${rows.length.toLocaleString("en")} rows`;
}

search.addEventListener("input", fill);
only.addEventListener("change", fill);
more.addEventListener("click", () => { limit = Infinity; fill(); });
if (count > 60) {                       // a long table is printed with the front alone
  addEventListener("beforeprint", () => body.replaceChildren(...order.filter(row => onFront.has(numbers[row])).map(lineOf)));
  addEventListener("afterprint", fill);
}

function closeRows() {
  body.querySelectorAll("tr.inside").forEach(line => line.remove());
  body.querySelectorAll('[aria-expanded="true"]').forEach(button => button.setAttribute("aria-expanded", "false"));
}

function openRow(button) {
  const line = button.closest("tr"), wasOpen = button.getAttribute("aria-expanded") === "true";
  closeRows();
  if (wasOpen) return;
  const number = numbers[line.dataset.row];
  choose(number);
  button.setAttribute("aria-expanded", "true");
  const holder = element("div", { className: "holder" }, ...described(number));
  line.after(element("tr", { className: "inside" }, element("td", { colSpan: trials.columns.length }, holder)));
}

body.addEventListener("click", event => {
  const button = event.target.closest(".pick");
  if (button) openRow(button);
});
body.addEventListener("keydown", event => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], line = event.target.closest("tr[data-row]");
  if (event.key === "Escape") closeRows();
  if (!step || !line || !event.target.matches(".pick")) return;
  const rows = [...body.querySelectorAll("tr[data-row]")];
  rows[rows.indexOf(line) + step]?.querySelector(".pick").focus();
  event.preventDefault();
});

table.querySelectorAll("thead th").forEach((head, index) => {
  head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending", column = trials.columns[index];
    table.querySelectorAll("thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sortKey = row => key(column, row) ?? "";
    order.sort((one, other) => {
      const a = sortKey(one), b = sortKey(other);
      if (a === "" || b === "") return (a === "") - (b === "");             // absent figures stay last
      const by = column.text ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
      return down ? -by : by;
    });
    fill();
  });
});

function csv() {
  const quoted = value => /[",\n]/.test(value ?? "") ? `"${value.replaceAll('"', '""')}"` : value ?? "";
  const rows = matching().map(row => trials.columns.map(column => quoted(key(column, row))));
  return [trials.columns.map(column => column.name), ...rows].map(row => `${row.join(",")}\n`).join("");
}
document.getElementById("export").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  element("a", { href: address, download: `${about.title}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
});

document.addEventListener("click", event => {
  const button = event.target.closest?.(".copy");
  if (!button) return;
  const range = document.createRange();
  range.selectNodeContents(button.previousElementSibling);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  button.textContent = document.execCommand("copy") ? "copied" : "select";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
});

fill();
if (about.chosen !== null) choose(about.chosen);
