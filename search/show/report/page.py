"""The page of a report: markup, style and a few lines of script, with no address in it to fetch from."""

from __future__ import annotations

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<link rel="icon" href="data:,">
<title>{{ title }} · msarch</title>
<style>{{ style }}</style>
<script>{{ plotly }}</script>
</head>
<body>
<main>
<header>
"""
"""Of every page: it may fetch nothing, and takes a `title`, a `style` and the `plotly` script."""

PAGE = (
    HEAD
    + """  <p class="eyebrow">architecture search</p>
  <h1>{{ title }}</h1>
  <p class="counts">{% for text in counts %}<span>{{ text }}</span>{% endfor %}</p>
</header>

<section class="cards" aria-label="Summary">
{% for card in cards %}
  <article class="card">
    <h2>{{ card.title }}</h2>
    <p class="figure">{{ card.figure }}</p>
    <p>{{ card.text }}</p>
    {% if card.command %}<p class="command"><code>{{ card.command }}</code><button type="button" class="copy"
      aria-label="Copy the command">copy</button></p>{% endif %}
  </article>
{% endfor %}
</section>

{% for plot in plots %}
<section>
  <h2>{{ plot.title }}</h2>
  <p class="caption">{{ plot.caption }}</p>
  <div class="plot" role="figure" aria-label="{{ plot.title }}; the table below holds the same figures">
  {{ plot.html }}</div>
</section>
{% endfor %}

<section>
  <h2>All trials</h2>
  <p class="caption">A filled dot marks the front. Choose a heading to sort.</p>
  <div class="scroll" tabindex="0" role="region" aria-label="All trials">
  <table id="trials">
    <thead><tr>{% for column in columns %}
      <th scope="col"{% if column.text %} class="text"{% endif %} title="{{ column.meaning }}">
        <button type="button">{{ column.name }}</button></th>{% endfor %}
    </tr></thead>
    <tbody>{% for row in rows %}
      <tr class="{{ row.kind }}">
        {%- for cell in row.cells %}{% if loop.first %}<th scope="row" data-sort="{{ cell.sort }}">
        {%- if row.front %}<span class="dot" title="on the front">●<span class="hidden"> on the front</span></span>
        {% endif %}{{ cell.text }}</th>
        {%- else %}<td{% if cell.left %} class="text"{% endif %} data-sort="{{ cell.sort }}">{{ cell.text }}</td>
        {%- endif %}{% endfor %}</tr>{% endfor %}
    </tbody>
  </table>
  </div>
</section>

<section class="notes">
  <h2>How to read this</h2>
  <ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
  {% if environment %}
  <h2>Environment</h2>
  <dl>{% for name, value in environment %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
  {% endif %}
</section>
</main>
<script>{{ script }}</script>
</body>
</html>
"""
)

STYLE = """
:root { --ink: #1c2330; --muted: #5b6472; --rule: #dfe3e8; --soft: #f5f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1220px; margin: 0 auto; padding: 40px 24px 64px; }
header { border-bottom: 1px solid var(--rule); padding-bottom: 20px; }
.eyebrow { margin: 0; color: var(--muted); font-size: 13px; letter-spacing: .06em; text-transform: uppercase; }
h1 { margin: 2px 0 8px; font-size: 32px; line-height: 1.2; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 19px; font-weight: 620; }
.counts { margin: 0; color: var(--muted); font-variant-numeric: tabular-nums; }
.counts span:not(:last-child)::after { content: "·"; margin: 0 .5em; color: #aab2bd; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); gap: 16px;
  margin: 24px 0 8px; }
.card { background: var(--soft); border: 1px solid var(--rule); border-radius: 8px; padding: 16px 18px; min-width: 0; }
.card h2 { font-size: 14px; color: var(--muted); font-weight: 600; }
.card p { margin: 0; font-size: 14px; color: var(--muted); }
.card .figure { font-size: 20px; font-weight: 620; color: var(--ink); font-variant-numeric: tabular-nums; }
.card .command { display: flex; gap: 8px; align-items: center; margin-top: 10px; }
code { font: 13px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; color: var(--ink);
  background: #fff; border: 1px solid var(--rule); border-radius: 5px; padding: 4px 8px; overflow-wrap: anywhere; }
.copy { font: inherit; font-size: 13px; color: var(--accent); background: none; border: 0; cursor: pointer;
  padding: 4px; }
section { margin-top: 36px; }
.caption { margin: 0 0 8px; color: var(--muted); font-size: 14px; max-width: 100ch; }
.scroll { overflow: auto; max-height: 640px; border: 1px solid var(--rule); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
th, td { padding: 6px 7px; text-align: right; border-bottom: 1px solid #eef0f3; font-weight: 400; }
td.text, th.text { text-align: left; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--soft); padding: 0;
  box-shadow: inset 0 -1px var(--rule); }
thead button { font: inherit; font-weight: 600; color: var(--ink); background: none; border: 0; width: 100%;
  text-align: inherit; padding: 8px 7px; cursor: pointer; white-space: nowrap; }
thead [aria-sort=ascending] button::after { content: " ▴"; }
thead [aria-sort=descending] button::after { content: " ▾"; }
tbody tr:last-child > * { border-bottom: 0; }
tr.front { background: #eef6fb; }
tr.front > * { font-weight: 600; }
tr.pruned, tr.infeasible, tr.duplicate, tr.failed, tr.running { color: var(--muted); }
.dot { color: var(--accent); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
button:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.notes ul { margin: 0 0 28px; padding-left: 20px; color: var(--muted); font-size: 14px; max-width: 90ch; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(260px, 100%), 1fr)); gap: 10px 24px;
  margin: 8px 0 0; font-size: 14px; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 600px) { main { padding: 24px 14px 40px; } h1 { font-size: 26px; } }
@media print { .copy { display: none; } .scroll { max-height: none; overflow: visible; } }
"""

SCRIPT = """
document.querySelectorAll("#trials thead th").forEach((head, index) => {
  head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    document.querySelectorAll("#trials thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = document.querySelector("#trials tbody"), key = row => row.children[index].dataset.sort;
    const order = (a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");           // absent figures stay last
      const by = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return down ? -by : by;
    };
    body.append(...[...body.rows].sort(order));
  });
});
document.querySelectorAll(".copy").forEach(button => button.addEventListener("click", () => {
  const code = button.previousElementSibling, range = document.createRange();
  range.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  button.textContent = document.execCommand("copy") ? "copied" : "select";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}));
"""
