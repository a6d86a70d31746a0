"""The tables of a comparison, as texts for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msarch.units import format_count
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.comparison import Comparison, Contender, Range
from search.show.palette import formatter
from search.show.terminal.front_table import MISSING, format_figure
from search.space.objectives import OBJECTIVES


@dataclass(frozen=True, slots=True)
class TextTable:
    """Headings, and rows of as many cells; the first `texts` columns are set to the left."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1


def searches_table(comparison: Comparison) -> TextTable:
    """One row a search: how far it went, its hypervolume, and how much of the common front is its own."""
    quality, cost = comparison.plane
    headings = ["search", "complete", "tokens", "hypervolume", "leads", "unbeaten", f"best {_word(quality)}", "at"]
    rows = [
        [
            each.name,
            f"{each.complete:,}",
            format_count(each.tokens),
            f"{each.hypervolume:.3f}",
            percent(each.share),
            f"{len(each.kept)} of {len(each.front)}",
            figure_text(each.front[-1], quality),
            figure_text(each.front[-1], cost),
        ]
        for each in comparison.contenders
    ]
    together = ["all together", "", "", f"{comparison.together:.3f}", "", "", "", ""]
    return TextTable(headings, [*rows, together])


def ranges_table(comparison: Comparison) -> TextTable:
    """One row a range of the cost: who leads there, by how much, and the leader's best model in it."""
    quality, cost = comparison.plane
    headings = [_word(cost), "leads", "by", "its best model", _word(quality)]
    rows = [
        [
            range_text(each, cost),
            " = ".join(each.leaders),
            lead_text(each, quality),
            f"{each.best.candidate.model.variant} {each.best.candidate.model.layers}",
            figure_text(each.best, quality),
        ]
        for each in comparison.ranges
    ]
    return TextTable(headings, rows, texts=4)


def outcome(comparison: Comparison) -> str:
    """The comparison in one sentence, from its hypervolumes and ranges."""
    first, *others = sorted(comparison.contenders, key=lambda each: -each.hypervolume)
    cost = _word(comparison.plane[1])
    if any(each.hypervolume == first.hypervolume for each in others):
        return "The two best fronts have the same hypervolume."
    word = f"{first.name} has the largest hypervolume. It alone leads in {percent(first.share)} of the range of {cost}"
    if not any(each.kept for each in others):
        return f"{word}; no model of {_listed(others)} is on the common front."
    best = max(others, key=lambda each: each.share)
    return f"{word}, {best.name} in {percent(best.share)}." if best.share else f"{word}."


def range_text(each: Range, cost: str) -> str:
    """``12 MiB to 31 MiB``, or ``31 MiB and more``."""
    shown = formatter(cost)
    return f"{shown(each.low)} to {shown(each.high)}" if math.isfinite(each.high) else f"{shown(each.low)} and more"


def lead_text(each: Range, quality: str) -> str:
    """``0.021 to 0.110 nats``; why there is none otherwise."""
    if each.least is None or each.most is None:
        return "the only one"
    if each.most == 0:
        return "equal"
    low, high = f"{each.least:.3f}", f"{each.most:.3f}"
    return f"{low if low == high else f'{low} to {high}'} {'nats' if quality == 'perplexity' else 'bits'}"


def reference_text(comparison: Comparison) -> str:
    """The reference point in words."""
    return " and ".join(f"{_word(name)} {formatter(name)(value)}" for name, value in comparison.reference.items())


def percent(share: float) -> str:
    """``63 %``."""
    return f"{100 * share:.0f} %"


def figure_text(record: TrialRecord, objective: str) -> str:
    """A trial's figure for an objective."""
    key = OBJECTIVES[objective].key
    return format_figure(record, key) if metric(record, key) is not None else MISSING


def _word(objective: str) -> str:
    return objective.replace("_", " ")


def _listed(others: Sequence[Contender]) -> str:
    names = [each.name for each in others]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
