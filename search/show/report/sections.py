"""What stands between the headline and the table: figures by cost, drawings, tables, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from search.ledger.records import TrialRecord
from search.results.confirm.confirmation import Confirmation
from search.results.front import reference_point, split
from search.results.importance import FEWEST, option_importance
from search.results.variants import usable
from search.show.drawing.svg import draw_svg
from search.show.report.costs import Cost
from search.show.report.curves import curves_figure
from search.show.report.data import packed_figure
from search.show.report.figures import front_in, points_of, trade_off_figure
from search.show.report.search_figures import growth_figure, importance_figure, parallel_figure
from search.show.report.variants import VariantTable, variant_columns_used, variants_figure, variants_table

CAPTIONS = {
    "front": (
        "Lower and further left is better. The line is the Pareto front: the models that no other beats in both. "
        "Large outlined points are on it. Hollow ones were stopped early and stand at their last validation. "
        "Point at a model of the front to see it drawn, click any point to keep it."
    ),
    "variants": (
        "One front for each variant, as if the others had not been searched. The table gives the best model of each "
        "variant within a budget that doubles from row to row. A variant of which more trials are complete has had "
        "more chances."
    ),
    "growth": "",
    "importance": "",
    "curves": "",
    "parallel": "",
}
_BARS = (
    " Bars reach one standard deviation up and down: so much does a model's figure differ from seed to seed. They come "
    "from further seeds on the {} split (see the table below) and are drawn around the figure of the search's own seed."
)
_GROWTH = (
    "Hypervolume of the front so far (the area it covers, see above) against the training tokens that all trials "
    "together had spent, in the order in which they were begun. Where the line is flat, trials found nothing better."
)
_IMPORTANCE = (
    "By how much each option decides whether a model comes close to the front: PED-ANOVA compares the best of the {} "
    "complete trials with all of them. With few trials this is a hint, not a finding."
)
_CURVES = (
    "Trials on the front are coloured; those that were stopped early are dashed. Click a legend entry to hide it, and "
    "a curve to see what it belongs to."
)
_PARALLEL = (
    "Each line is a complete trial, from its options on the left to what came of it on the right. Click a legend "
    "entry to hide a group, a line to see which trial it is."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sections:
    """The parts of a report.

    Attributes:
        figures: packed, by the id of their place; those that depend on the cost by its name.
        costs: with what is said of the figure under each.
        tables: of variants, by cost; none with fewer than two variants.
        drawings: of the models on a front under any cost.
        captions: of the sections that are there.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    costs: list[dict[str, str]] = field(default_factory=list)
    tables: dict[str, VariantTable] = field(default_factory=dict)
    drawings: dict[str, Any] = field(default_factory=dict)
    captions: dict[str, str] = field(default_factory=dict)


def make_sections(
    records: Sequence[TrialRecord],
    objectives: Sequence[str],
    limits: Mapping[str, int],
    costs: Sequence[Cost],
    conditions: str,
    confirmed: Confirmation | None = None,
) -> Sections:
    """Every part that these trials have something for."""
    quality = split(objectives)[0]
    spreads = confirmed.spreads if confirmed else {}
    made = Sections()
    fronts: set[int] = set()
    if not records:
        return made
    made.figures["front"] = {}
    for cost in costs:
        figure = trade_off_figure(records, quality, cost.name, objectives, limits, conditions, {}, spreads)
        made.figures["front"][cost.name] = packed_figure(figure)
        outside = _outside(figure, records, quality, cost.name)
        made.costs.append({"name": cost.name, "label": cost.label, "caption": f"{cost.meaning}{outside}"})
        fronts |= front_in(records, quality, cost.name, objectives)
        if variant_columns_used(records, (quality, cost.name)):
            _add_variants(made, records, (quality, cost.name), limits)
    if confirmed and spreads:
        made.captions["front"] = CAPTIONS["front"] + _BARS.format(confirmed.split)
    made.drawings.update(_drawings(record for record in records if record.number in fronts))
    _add_history(made, records, objectives, limits)
    return made


def _add_variants(
    made: Sections, records: Sequence[TrialRecord], plane: tuple[str, str], limits: Mapping[str, int]
) -> None:
    reference = reference_point(records, plane, limits)
    made.figures.setdefault("variants", {})[plane[1]] = packed_figure(variants_figure(records, plane, reference, {}))
    made.tables[plane[1]] = variants_table(records, plane, reference)


def _add_history(
    made: Sections, records: Sequence[TrialRecord], objectives: Sequence[str], limits: Mapping[str, int]
) -> None:
    complete = sum(record.state == "complete" for record in records)
    if any(record.curve for record in records):
        _add(made, "curves", curves_figure(records, objectives), _CURVES)
    if complete > 1:
        reference = reference_point(records, objectives, limits)
        if not any(record.paused for record in records):  # else they were trained in turns, and no record says when
            _add(made, "growth", growth_figure(records, objectives, reference), _GROWTH)
    if len(usable(records, split(objectives))) > 1:
        _add(made, "parallel", parallel_figure(records, objectives), _PARALLEL)
    shares = option_importance(records, objectives) if complete >= FEWEST else {}
    if shares:
        _add(made, "importance", importance_figure(shares), _IMPORTANCE.format(complete))


def _add(made: Sections, name: str, figure: go.Figure, caption: str) -> None:
    made.figures[name] = packed_figure(figure)
    made.captions[name] = caption


def _drawings(records: Iterable[TrialRecord]) -> dict[str, Any]:
    """Each different drawing once, and which one is of which trial."""
    models: dict[str, int] = {}
    places = {r.number: models.setdefault(draw_svg(r.candidate.model, styled=False), len(models)) for r in records}
    return {"models": list(models), "of": places}


def _outside(figure: go.Figure, records: Sequence[TrialRecord], quality: str, cost: str) -> str:
    """How many trained trials the figure does not show at first."""
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    points = [point for state in ("complete", "pruned") for point in points_of(records, state, quality, cost)]
    out = sum(not (left <= math.log10(x) <= right and bottom <= math.log10(y) <= top) for x, y, _ in points)
    if not out:
        return ""
    return f" {out:,} trained {'trial lies' if out == 1 else 'trials lie'} outside this view; a double click shows all."
