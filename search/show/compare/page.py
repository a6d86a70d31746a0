"""The page of a comparison: fronts overlaid, then who leads where. One file, with the look of a search's report."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from msarch.atomic_files import atomic_write
from search.results.comparison import Comparison
from search.show.compare.figure import fronts_figure
from search.show.compare.tables import outcome, ranges_table, reference_text, searches_table
from search.show.palette import colour_at
from search.show.report.page import HEAD, figures_on, plotly_tags, style
from search.space.objectives import OBJECTIVES

_PAGE = (
    HEAD
    + """  <p class="eyebrow">searches side by side</p>
  <h1>{{ title }}</h1>
  <p class="outcome">{{ outcome }}</p>
  {% for note in notes %}<p class="prose">Note: {{ note }}.</p>
  {% endfor %}
</header>
<section>
  <h2>{{ quality }} against {{ cost }}</h2>
  <p class="caption">Lower and to the left is better. A colour for each search, a symbol for each variant; the broad
    line is the front of all searches together. Point at a model for its figures; click a search to hide it.</p>
  <div class="plot" id="fronts" role="figure" aria-label="The fronts; the tables below hold who leads where"></div>
</section>
{% for title, caption, table, colours in tables %}
<section>
  <h2>{{ title }}</h2>
  <p class="caption">{{ caption }}</p>
  <div class="scroll" tabindex="0" role="region" aria-label="{{ title }}">
  <table>
    <thead><tr>{% for name in table.headings %}
      <th scope="col"{% if loop.index <= table.texts %} class="text"{% endif %}>{{ name }}</th>{% endfor %}</tr></thead>
    <tbody>{% for row in table.rows %}{% set colour = colours[loop.index0] %}<tr>{% for cell in row %}
      {% if loop.first %}<th scope="row" class="text">
        {%- if colour %}<span class="swatch" style="background: {{ colour }}"></span>{% endif %}{{ cell }}</th>
      {%- else %}<td{% if loop.index <= table.texts %} class="text"{% endif %}>{{ cell }}</td>{% endif %}
      {%- endfor %}</tr>{% endfor %}</tbody>
  </table></div>
</section>
{% endfor %}
<section class="notes">
  <h2>How to read this</h2>
  <ul>{% for line in reading %}<li>{{ line }}</li>{% endfor %}</ul>
</section>
</main>
{{ figures }}
</body>
</html>
"""
)
_OWN_STYLE = """
thead th { padding: 8px 10px; position: static; }
tbody th, td { padding: 6px 10px; }
.scroll { max-height: none; }
"""
_SEARCHES = (
    "Hypervolume is the area between a front and the reference point ({}), over the logarithm of the cost and the "
    "quality. Leads: the share of the range of costs, on a logarithmic scale, in which a search alone has the best "
    "model. Unbeaten: how many models of its front no other search beats."
)
_RANGES = (
    "If a model may cost at most this much, which search has the better one, and by how much it is ahead of the next "
    "search. The model shown is the leader's best in that range."
)
_READING = (
    "One search is one draw: another run of the same search, or another seed of a model, gives other figures. Do not "
    "rely on small leads.",
    "Memory is the predicted peak of one full training step of exactly what was trained.",
    "Each model is compared as it was trained. Searches that train on more tokens have an advantage.",
)


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Writes the page to `path`, whole or not at all."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    quality, cost = (OBJECTIVES[name].label for name in comparison.plane)
    colours = [colour_at(index) for index, _ in enumerate(comparison.contenders)]
    of_name = dict(zip((each.name for each in comparison.contenders), colours, strict=True))
    leaders = [of_name[each.leaders[0]] if len(each.leaders) == 1 else "" for each in comparison.ranges]
    text = environment.from_string(_PAGE).render(
        **plotly_tags(path, "inside"),
        title=" · ".join(each.name for each in comparison.contenders),
        style=Markup(style() + _OWN_STYLE),
        outcome=outcome(comparison),
        notes=comparison.notes,
        quality=quality[0].upper() + quality[1:],
        cost=cost,
        tables=[
            ("The searches", _SEARCHES.format(reference_text(comparison)), searches_table(comparison), [*colours, ""]),
            ("Who leads where", _RANGES, ranges_table(comparison), leaders),
        ],
        reading=_READING,
        figures=figures_on({"fronts": fronts_figure(comparison)}),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
