// The trials of a report: their columns, and a trial described in words, drawn, and chosen.
"use strict";
const parsed = id => JSON.parse(document.getElementById(id).textContent);
const trials = parsed("trials-data"), drawings = parsed("drawings"), plots = parsed("figures"), about = parsed("about");

// --- the columns ---
const columns = Object.fromEntries(trials.columns.map(column => [column.name, column]));
const place = (column, row) => column.at ? column.at[row] : row;
const cell = (column, row) => column.cells[place(column, row)];
const key = (column, row) => (column.keys ?? column.cells)[place(column, row)];
const count = (columns.trial.at ?? columns.trial.cells).length;
const numbers = Array.from({ length: count }, (_, row) => key(columns.trial, row));
const rowOf = new Map(numbers.map((number, row) => [number, row]));
const onFront = new Set(trials.front);
const figureOf = (name, row) => columns[name] ? key(columns[name], row) : trials.hidden[name]?.[row] ?? null;
const escaped = text => String(text).replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);

// What is said of a trial wherever it is pointed at: pairs of a name and a value.
function facts(number, kind) {
  const row = rowOf.get(number), found = [];
  for (const column of trials.columns) {
    if (column.kind === kind && !["variant", "layers"].includes(column.name) && cell(column, row) !== "") {
      found.push([column.heading, cell(column, row), column]);
    }
  }
  return found;
}

function sentence(number) {
  const row = rowOf.get(number), at = name => escaped(cell(columns[name], row));
  const lines = [`<b>trial ${number}</b> ${at("state")}`, `${at("variant")} <b>${at("layers")}</b>`];
  const listed = (pairs, size) => {
    for (let i = 0; i < pairs.length; i += size) {
      lines.push(pairs.slice(i, i + size).map(([name, value]) => `${escaped(name)} ${escaped(value)}`).join(", "));
    }
  };
  listed(facts(number, "option"), 3);
  if (trials.stopped[number]) lines.push(trials.stopped[number]);
  listed(facts(number, "figure").filter(([, , column]) => column.name !== "seconds"), 3);
  if (columns.error && cell(columns.error, row)) lines.push(escaped(cell(columns.error, row)));
  return lines.join("<br>");
}

let chosen = null;

// --- a trial described: its drawing, its options and figures, and the command that trains it again ---
function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function described(number) {
  const row = rowOf.get(number), at = name => cell(columns[name], row), drawing = drawingOf(number);
  const title = element("h3", {}, `Trial ${number}: ${at("variant")} `, element("code", {}, at("layers")));
  const list = element("dl");
  const state = onFront.has(number) ? "on the front" : at("state");
  const error = columns.error && cell(columns.error, row) ? [["note", cell(columns.error, row)]] : [];
  for (const [name, value] of [["state", state], ...facts(number, "figure"), ...facts(number, "option"), ...error]) {
    list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }
  const body = element("div", { className: drawing ? "about" : "about plain" });
  if (drawing) body.append(element("div", { className: "holder", innerHTML: drawing }));
  body.append(list);
  const parts = [title, body];
  if (at("state") === "complete") parts.push(command(about.reproduce.replace("NUMBER", number)));
  return parts;
}

const drawingOf = number => drawings.models[drawings.of[number]];

function command(text) {
  const button = element("button", { type: "button", className: "copy", ariaLabel: "Copy the command" }, "copy");
  return element("p", { className: "command" }, element("code", {}, text), button);
}

function choose(number) {
  chosen = number;
  document.getElementById("chosen").hidden = false;
  document.getElementById("chosen").replaceChildren(...described(number));
  document.querySelector("#trials tr[aria-current]")?.removeAttribute("aria-current");
  lines.get(rowOf.get(number))?.setAttribute("aria-current", "true");
  figures.again();
}
