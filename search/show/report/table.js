// The table of all trials: made from their columns, sorted, filtered, opened, exported.
const table = document.getElementById("trials"), body = table.tBodies[0];

function lineOf(row) {
  const front = onFront.has(numbers[row]);
  const dot = front ? '<span class="dot" title="on the front">●<span class="hidden"> on the front</span></span> ' : "";
  const cells = trials.columns.slice(1).map(column =>
    `<td${column.text ? ' class="text"' : ""}>${escaped(cell(column, row))}</td>`);
  const state = front ? "front" : escaped(cell(columns.state, row));
  return `<tr class="${state}" data-row="${row}"><th scope="row">${dot}<button type="button" class="pick"`
    + ` aria-expanded="false">${numbers[row]}</button></th>${cells.join("")}</tr>`;
}

const heads = trials.columns.map(column => `<th scope="col"${column.text ? ' class="text"' : ""}`
  + ` title="${escaped(column.meaning)}"><button type="button">${escaped(column.heading)}</button></th>`);
table.tHead.innerHTML = `<tr>${heads.join("")}</tr>`;
body.innerHTML = Array.from({ length: count }, (_, row) => lineOf(row)).join("");
const lines = [...body.rows];
table.classList.toggle("long", count > 60);

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
  const shown = [...body.querySelectorAll("tr[data-row]:not([hidden])")];
  shown[shown.indexOf(line) + step]?.querySelector(".pick").focus();
  event.preventDefault();
});

table.querySelectorAll("thead th").forEach((head, index) => {
  head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending", column = trials.columns[index];
    table.querySelectorAll("thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    closeRows();
    const sortKey = line => key(column, line.dataset.row) ?? "";
    body.append(...[...lines].sort((one, other) => {
      const a = sortKey(one), b = sortKey(other);
      if (a === "" || b === "") return (a === "") - (b === "");             // absent figures stay last
      const by = column.text ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
      return down ? -by : by;
    }));
  });
});

const search = document.getElementById("search"), only = document.getElementById("only-front");
const shown = document.getElementById("shown");
const words = lines.map((_, row) => trials.columns.map(column => cell(column, row)).join(" ").toLowerCase());
function filter() {
  closeRows();
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  lines.forEach((line, row) => {
    line.hidden = only.checked && !onFront.has(numbers[row]) || !wanted.every(word => words[row].includes(word));
    left += !line.hidden;
  });
  shown.textContent = left === count ? "" : `${left} of ${count} trials`;
}
search.addEventListener("input", filter);
only.addEventListener("change", filter);

function csv() {
  const quoted = value => /[",\n]/.test(value ?? "") ? `"${value.replaceAll('"', '""')}"` : value ?? "";
  const rows = [...body.querySelectorAll("tr[data-row]:not([hidden])")].map(line => line.dataset.row);
  return [trials.columns.map(column => quoted(column.name)),
    ...rows.map(row => trials.columns.map(column => quoted(key(column, row))))].map(row => row.join(",")).join("\n") + "\n";
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

if (about.chosen !== null) choose(about.chosen);
