// Draws Plotly figures that follow the reader: light or dark paper, wide or narrow windows, print.
// A page registers each with `figures.show(id, () => figure)`; it is drawn when it comes near the window.
"use strict";
const figures = (() => {
  const night = JSON.parse(document.getElementById("dark").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const makers = new Map(), drawn = new Set();
  let printing = false;

  function themed(node) {
    if (typeof node === "string") return night[node] ?? node;
    if (Array.isArray(node)) return typeof node[0] === "number" ? node : node.map(themed);
    if (node && typeof node === "object") {
      return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, themed(value)]));
    }
    return node;
  }

  // Labels of ticks may not run into each other: from the right end on, one is left out where it has no room.
  function thinned(axis, pixels) {
    if (!axis?.ticktext?.length || !axis.range) return axis;
    const [low, high] = axis.range, scale = axis.type === "log" ? Math.log10 : value => value;
    const middle = index => (scale(axis.tickvals[index]) - low) / (high - low) * pixels;
    const half = index => axis.ticktext[index].length * 3.8 + 5;
    const kept = [];
    let free = Infinity;
    for (let index = axis.tickvals.length - 1; index >= 0; index--) {
      if (middle(index) + half(index) > free) continue;
      kept.unshift(index);
      free = middle(index) - half(index);
    }
    return { ...axis, tickvals: kept.map(i => axis.tickvals[i]), ticktext: kept.map(i => axis.ticktext[i]) };
  }

  // Rows that Plotly needs for a legend below the plot: one, or a grid of columns as wide as the longest name.
  function legendRows(data, layout, width) {
    const named = data.filter(trace => trace.name && trace.showlegend !== false).map(trace => trace.name.length * 6.6 + 46);
    if (layout.showlegend === false || named.length < (layout.showlegend ? 1 : 2)) return 0;
    const total = named.reduce((sum, size) => sum + size, 0);
    return total <= width ? 1 : Math.ceil(named.length / Math.max(1, Math.floor(width / Math.max(...named))));
  }

  function fitted(figure, width) {
    const { layout } = figure, narrow = width < 560, margin = { ...layout.margin };
    const rows = legendRows(figure.data, layout, width);
    margin.b = (layout.xaxis?.visible === false ? 12 : 58) + 21 * rows;
    if (narrow) {
      margin.l = Math.min(margin.l, 44);
      margin.r = Math.min(margin.r, 14);
    }
    const fit = { ...layout, margin, autosize: true, height: layout.height + 21 * Math.max(0, rows - 1) };
    if (layout.xaxis) fit.xaxis = thinned(layout.xaxis, width - margin.l - margin.r);
    if (narrow) {
      fit.annotations = layout.annotations?.filter(note => note.name !== "room");
      fit.legend = { ...layout.legend, font: { size: 11 } };
      fit.dragmode = false;                       // a finger that scrolls the page may not zoom
    }
    return fit;
  }

  function draw(id) {
    const place = document.getElementById(id), figure = makers.get(id)();
    const width = printing ? 660 : place.clientWidth || 600;
    const colour = dark.matches && !printing ? themed : node => node;
    const layout = colour(fitted(figure, width));
    if (printing) Object.assign(layout, { width, autosize: false });
    Plotly.react(place, colour(figure.data), layout, { ...config, displayModeBar: width < 560 ? false : "hover" });
    const first = !drawn.has(id);
    drawn.add(id);
    if (first) place.dispatchEvent(new CustomEvent("drawn"));
  }

  const near = new IntersectionObserver(entries => entries.forEach(entry => {
    if (!entry.isIntersecting) return;
    near.unobserve(entry.target);
    if (!drawn.has(entry.target.id)) draw(entry.target.id);
  }), { rootMargin: "400px" });

  function show(id, make) {
    const place = document.getElementById(id);
    if (!place) return;
    makers.set(id, make);
    near.observe(place);
  }

  const again = () => drawn.forEach(id => setTimeout(draw, 0, id));     // one by one, so that the page answers between
  dark.addEventListener("change", again);
  let waiting = 0, width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width || printing) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(again, 120);
  });
  addEventListener("beforeprint", () => { printing = true; makers.forEach((_, id) => draw(id)); });
  addEventListener("afterprint", () => { printing = false; again(); });
  return { show, redraw: id => { if (drawn.has(id)) draw(id); }, again };
})();
