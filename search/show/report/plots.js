// The figures of a report, filled from the columns of its trials; the switch of cost; the card beside the pointer.
const hovers = navigator.maxTouchPoints === 0 || matchMedia("(hover: hover)").matches;

function filled(trace) {
  const meta = trace.meta ?? {};
  if (meta.curves) return withCurves(trace);
  if (meta.parallel) return withAxes(trace);
  if (!trace.customdata || !(meta.x || meta.y)) return trace;
  const rows = trace.customdata.map(number => rowOf.get(number)), full = { ...trace };
  for (const axis of ["x", "y"]) if (meta[axis]) full[axis] = rows.map(row => figureOf(meta[axis], row));
  full.hoverinfo = "none";              // a card with words and drawing is shown in its place
  return full;
}

function withCurves(trace) {
  const full = { ...trace, x: [], y: [], customdata: [] };
  for (const number of trace.customdata) {
    const [grid, ...losses] = trials.curves.losses[number];
    full.x.push(...trials.curves.tokens[grid].slice(0, losses.length), null);
    full.y.push(...losses, null);
    full.customdata.push(...losses.map(() => number), number);
  }
  return full;
}

function withAxes(trace) {
  const { parallel: size } = trace.meta, numbers = trace.customdata;
  const x = trace.y.map((y, index) => y === null ? null : index % size);
  return { ...trace, x, customdata: trace.y.map((_, index) => numbers[Math.floor(index / size)]) };
}

// The chosen trial stands out in every figure that holds it.
function marked(traces) {
  if (chosen === null) return [];
  const extra = { showlegend: false, hoverinfo: "skip", cliponaxis: false };
  for (const trace of traces) {
    const at = trace.customdata?.indexOf?.(chosen) ?? -1;
    if (at < 0 || !trace.x) continue;
    if (trace.meta.curves || trace.meta.parallel) {
      const own = index => trace.customdata[index] === chosen && trace.x[index] !== null;
      const line = { color: "#1c2330", width: 3.5 };
      return [{ ...extra, mode: "lines", line, x: trace.x.filter((_, i) => own(i)), y: trace.y.filter((_, i) => own(i)) }];
    }
    const marker = { symbol: "circle-open", size: 25, color: "#1c2330", line: { width: 2.5 } };
    return [{ ...extra, mode: "markers", marker, x: [trace.x[at]], y: [trace.y[at]], yaxis: trace.yaxis ?? "y" }];
  }
  return [];
}

function complete(figure, name) {
  const data = figure.data.map(filled);
  return { data: [...data, ...marked(data)], layout: { ...figure.layout, uirevision: name } };
}

// Under a cost in which no two variants compare the figure is hidden, and keeps what it shows.
const variantsAt = cost => plots.variants[cost] ?? Object.values(plots.variants)[0];

let cost = about.costs[0];
if (plots.front) figures.show("front", () => complete(plots.front[cost], cost));
if (plots.variants) figures.show("variants", () => complete(variantsAt(cost), cost));
for (const name of ["curves", "growth", "importance", "parallel"]) {
  if (plots[name]) figures.show(name, () => complete(plots[name], name));
}

document.querySelectorAll("input[name=cost]").forEach(input => input.addEventListener("change", () => {
  cost = input.value;
  document.querySelectorAll("[data-cost]").forEach(part => { part.hidden = part.dataset.cost !== cost; });
  if (plots.variants) document.getElementById("variants").hidden = !plots.variants[cost];
  figures.redraw("front");
  figures.redraw("variants");
}));

// --- the card beside the pointer ---
const card = document.getElementById("float");

function float(event) {
  const point = event.points[0], number = point?.customdata;
  if (!(point?.data.meta?.x) || !hovers) return;
  card.innerHTML = `<p>${sentence(number)}</p>${drawingOf(number) ?? ""}`;
  card.hidden = false;
  const { clientX: x, clientY: y } = event.event, { offsetWidth: wide, offsetHeight: high } = card;
  card.style.left = `${x + 24 + wide < innerWidth ? x + 24 : Math.max(8, x - 24 - wide)}px`;
  card.style.top = `${Math.max(8, Math.min(y - high / 2, innerHeight - high - 8))}px`;
}

for (const id of ["front", "variants", "curves", "parallel"]) {
  const plot = document.getElementById(id);
  plot?.addEventListener("drawn", () => {
    plot.on("plotly_hover", float);
    plot.on("plotly_unhover", () => { card.hidden = true; });
    plot.on("plotly_click", event => {
      const number = event.points[0]?.customdata;
      if (rowOf.has(number)) choose(number);
    });
  });
}
