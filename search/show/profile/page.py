"""The page of one profile: the timeline of its step, the peak taken apart, what fits, another model beside it.

One file that needs no network, with the same look and the same rules as the report of a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from msarch.atomic_files import atomic_write
from msarch.memory.fit import Fit
from msarch.memory.profile import profile_timeline
from msarch.units import format_bytes
from search.results.conditions import describe_conditions
from search.results.named_candidate import NamedCandidate
from search.show.profile.comparison import FIT_NOTE, Compared, Explained, fit_rows
from search.show.profile.tables import LAYER_HEADINGS, layer_cells
from search.show.profile.timeline_figure import layers_figure, timeline_figure
from search.show.profile.words import (
    KIND_WORDS,
    compute_words,
    describe_model,
    describe_peak,
    inference_words,
    scale_words,
)
from search.show.report.page import HEAD, figures_on, plotly_tags, style

_PAGE = (
    HEAD
    + """  <p class="eyebrow">memory of one training step</p>
  <h1>{{ title }}</h1>
  <p class="counts"><span>{{ model }}</span></p>
  <p class="counts"><span>{{ conditions }}</span></p>
</header>
<section class="cards" aria-label="Summary">
{% for title, figure, text in cards %}
  <article class="card"><h2>{{ title }}</h2><p class="figure">{{ figure }}</p><p>{{ text }}</p></article>
{% endfor %}
</section>
{% for title, caption, id in plots %}
<section>
  <h2>{{ title }}</h2>
  <p class="caption">{{ caption }}</p>
  <div class="plot" id="{{ id }}" role="figure"
    aria-label="{{ title }}; the tables below hold the peak's figures"></div>
</section>
{% endfor %}
<section class="tables">
{% for table in tables %}
  <div{% if table.wide %} class="wide"{% endif %}>
  <h2>{{ table.title }}</h2>
  <div class="scroll" tabindex="0" role="region" aria-label="{{ table.title }}">
  <table>
    <thead><tr>{% for name in table.columns %}<th scope="col"{% if loop.first %} class="text"{% endif %}>{{ name }}</th>
      {% endfor %}</tr></thead>
    <tbody>{% for row in table.rows %}<tr>{% for cell in row %}
      {% if loop.first %}<th scope="row" class="text">{{ cell }}</th>{% else %}<td>{{ cell }}</td>{% endif %}
      {% endfor %}</tr>{% endfor %}</tbody>
  </table></div>
  {% if table.note %}<p class="caption">{{ table.note }}</p>{% endif %}
  </div>
{% endfor %}
</section>
</main>
{{ figures }}
</body>
</html>
"""
)
_OWN_STYLE = """
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 28px; }
.tables > .wide { grid-column: 1 / -1; }
.tables > div { min-width: 0; }
.tables h2 { margin-bottom: 8px; }
.tables thead th { padding: 8px 10px; font-weight: 600; position: static; }
.tables tbody th, .tables td { padding: 6px 10px; }
.tables .caption { margin-top: 8px; }
.scroll { max-height: none; }
"""
_TIMELINE_CAPTION = (
    "Every operation of the step, in order, with all bytes alive after it. Point at one for its name, its layer and "
    "what each kind takes; click a kind to hide it. Of the equal chunks of a chunked loss the first ones are drawn."
)
_LAYERS_CAPTION = (
    "What is alive at the peak, in the order of computation. A layer's parameters, gradients and optimizer state "
    "stand with what it keeps for the backward pass. The readout shares the embedding's weights, which stand there."
)

_LAYERS_NOTE = (
    "Model states are parameters, gradients and optimizer state; kept is what the forward pass and the loss left for "
    "the backward pass."
)


def write_profile_page(
    path: Path,
    named: NamedCandidate,
    explained: Explained,
    other: NamedCandidate | None,
    figures: Sequence[Compared],
    fits: Sequence[Fit],
    limit: int | None,
) -> None:
    """Writes the page to `path`, whole or not at all; `other` and its `figures`, `fits` and their `limit` if any."""
    candidate, profile, _ = explained
    timeline = timeline_figure(profile_timeline(candidate.model, candidate.training))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(_PAGE).render(
        title=named.name,
        model=describe_model(candidate, profile),
        conditions=describe_conditions(candidate),
        style=Markup(style() + _OWN_STYLE),
        **plotly_tags(path, "inside"),
        cards=_cards(explained),
        plots=[
            ("Bytes alive through the step", _TIMELINE_CAPTION, "timeline"),
            ("The peak, layer by layer", _LAYERS_CAPTION, "layers"),
        ],
        figures=figures_on({"timeline": timeline, "layers": layers_figure(profile)}),
        tables=_tables(named, explained, other, figures, fits, limit),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _cards(explained: Explained) -> list[tuple[str, str, str]]:
    candidate, profile, inference = explained
    (operations, pairs), (_, cache) = compute_words(candidate, profile), inference_words(inference)
    step, _, token = operations.partition(", ")
    return [
        ("Peak", format_bytes(profile.peak_bytes), f"{describe_peak(profile)}."),
        ("Compute", step.removesuffix(" a step"), f"a step: {token}; {pairs}."),
        ("Generation", format_bytes(inference.weights_bytes), f"of weights, and a cache of {cache}."),
    ]


def _tables(
    named: NamedCandidate,
    explained: Explained,
    other: NamedCandidate | None,
    figures: Sequence[Compared],
    fits: Sequence[Fit],
    limit: int | None,
) -> list[dict[str, object]]:
    candidate, profile, _ = explained
    tables = [
        _shares("By kind", {KIND_WORDS[kind]: size for kind, size in profile.by_kind.items()}, profile.peak_bytes),
        _shares("By scale", {scale_words(scale): size for scale, size in profile.by_scale.items()}, profile.peak_bytes),
    ]
    if limit is not None:
        rows, title = fit_rows(fits, limit, candidate), f"What fits {format_bytes(limit)}"
        tables.append(_table(title, ["", "checkpointing", "largest", "needs", "left"], rows, FIT_NOTE))
    if other is not None:
        note = f"{other.name} is {other.candidate.model.variant} {other.candidate.model.layers}, with "
        columns = ["", named.name, other.name, "ratio"]
        shown = [list(each.shown()) for each in figures]
        tables.append(_table("Side by side", columns, shown, note + describe_conditions(other.candidate)))
    columns = ["", *LAYER_HEADINGS, "bytes", "share"]
    return [*tables, _table("By layer", columns, layer_cells(profile), _LAYERS_NOTE) | {"wide": True}]


def _shares(title: str, parts: dict[str, int], total: int) -> dict[str, object]:
    rows = [[name, format_bytes(size), f"{size / total:.1%}"] for name, size in parts.items() if size]
    return _table(title, ["", "bytes", "share"], rows)


def _table(title: str, columns: list[str], rows: list[list[str]], note: str = "") -> dict[str, object]:
    return {"title": title, "columns": columns, "rows": rows, "note": note, "wide": False}
