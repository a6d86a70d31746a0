"""How results show themselves in a notebook: a line, the front's table and its picture, all without scripts."""

from __future__ import annotations

import base64
import io

from markupsafe import Markup

from search.results.results import Results
from search.show.plots import front_figure
from search.show.terminal.front_table import format_figure, trial_marks
from search.space.objectives import OBJECTIVES

_DOTS_PER_INCH = 110


def results_html(results: Results) -> str:
    """Markup of the results' front."""
    line = Markup("<p><code>{}</code></p>").format(repr(results)[1:-1])
    if not results.front:
        return str(line)
    return str(Markup("<div>{}{}{}</div>").format(line, _table(results), _picture(results)))


def _table(results: Results) -> Markup:
    keys = {OBJECTIVES[name].key: OBJECTIVES[name].label for name in results.objectives}
    marks = trial_marks(results.records, results.objectives)
    heads = ("trial", "variant", "layers", "d_model", *keys.values(), "")
    rows = [
        (
            record.number,
            record.candidate.model.variant,
            record.candidate.model.layers,
            record.candidate.model.d_model,
            *(format_figure(record, key) for key in keys),
            marks.get(record.number, ""),
        )
        for record in results.front
    ]
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in heads)
    cells = (Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row) for row in rows)
    body = Markup("").join(Markup("<tr>{}</tr>").format(each) for each in cells)
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)


def _picture(results: Results) -> Markup:
    title = results.title
    figure = front_figure(results.records, results.objectives, results.limits, title, results.conditions)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_DOTS_PER_INCH, format="png")
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(
        f"the front of {title}", base64.b64encode(drawn.getvalue()).decode()
    )
