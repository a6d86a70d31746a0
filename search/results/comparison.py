"""Several searches side by side: each one's front, its hypervolume, and which search leads in which range of a cost.

All are held against one reference point, so that their hypervolumes compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from msarch.errors import UserError, unknown
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.efficiency import tokens_of
from search.results.front import hypervolume, pareto_front, reference_point, split
from search.results.results import Results
from search.results.same_text import check_comparable
from search.results.variants import level, usable
from search.space.objectives import OBJECTIVES

QUALITIES = tuple(name for name, objective in OBJECTIVES.items() if objective.quality)
COSTS = tuple(name for name, objective in OBJECTIVES.items() if not objective.quality)
MOST = 14
"""Searches in one comparison: beyond that, no figure can be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One search of a comparison.

    Attributes:
        name: of its folder, or the folder's path where several have that name.
        complete: how many of its trials are complete and have the figures that are compared.
        tokens: that all its trials trained on.
        front: its own, the cheapest first.
        hypervolume: between that front and the common reference point.
        kept: the trials of `front` that no other search beats.
        share: of the logarithmic range of the cost, where it leads alone.
    """

    name: str
    complete: int
    tokens: int
    front: list[TrialRecord]
    hypervolume: float
    kept: list[TrialRecord]
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Budgets in which the same search has the best model.

    Attributes:
        low, high: ends in the unit of the cost; `high` is infinite in the last range.
        leaders: the searches that lead: several where they are equal.
        least, most: by how much they are ahead of the next search, in nats (perplexity) or bits; None where no other
            search has a model that costs so little.
        best: the leader's best model in this range: that of its dear end.
    """

    low: float
    high: float
    leaders: tuple[str, ...]
    least: float | None
    most: float | None
    best: TrialRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Searches side by side.

    Attributes:
        plane: the quality and the cost that are compared.
        reference: the reference point of every hypervolume, in the objectives' own units.
        contenders: in the order in which they were given.
        together: hypervolume of the front of all searches.
        ranges: from the cheapest model of any search on.
        notes: what makes the searches differ, apart from how well they searched.
    """

    plane: tuple[str, str]
    reference: Mapping[str, float]
    contenders: list[Contender]
    together: float
    ranges: list[Range]
    notes: tuple[str, ...]


def compare_searches(searches: Sequence[Results], by: str = "", cost: str = "memory") -> Comparison:
    """Set searches side by side.

    Args:
        by: the quality to compare, perplexity or bits_per_byte; what the first search minimises where it is empty.
        cost: what a model costs, such as memory.

    Raises:
        UserError: fewer than two searches, the same one twice, no complete trial, or perplexities that do not compare.
    """
    named = _named(searches)
    plane = _plane(searches, by, cost)
    members = {name: usable(results.records, plane) for name, results in named.items()}
    for name, each in members.items():
        if not each:
            raise UserError(f"{name} has no complete trial with {plane[0]} and {plane[1]}: there is nothing to compare")
    notes = check_comparable(named, plane[0])
    fronts = {name: pareto_front(each, plane) for name, each in members.items()}
    reference = _reference(searches, plane)
    ranges = _ranges(fronts, plane)
    together = [record for front in fronts.values() for record in front]
    contenders = [
        Contender(
            name=name,
            complete=len(members[name]),
            tokens=sum(map(tokens_of, results.records)),
            front=fronts[name],
            hypervolume=hypervolume(fronts[name], plane, reference=reference),
            kept=_kept(name, fronts, plane),
            share=_share(name, ranges, reference[plane[1]]),
        )
        for name, results in named.items()
    ]
    volume = hypervolume(together, plane, reference=reference)
    return Comparison(
        plane=plane, reference=reference, contenders=contenders, together=volume, ranges=ranges, notes=notes
    )


def _named(searches: Sequence[Results]) -> dict[str, Results]:
    """The searches by name. Raises UserError where one is missing, or given twice."""
    if not 2 <= len(searches) <= MOST:
        raise UserError(f"compares 2 to {MOST} searches, got {len(searches)}", key="RESULTS")
    seen: dict[Path, Results] = {}
    for results in searches:
        if results.folder.resolve() in seen:
            raise UserError(f"{results.folder} is given twice; name each search once", key="RESULTS")
        seen[results.folder.resolve()] = results
    short = [path.name for path in seen]
    unique = len(set(short)) == len(short)
    return {path.name if unique else str(results.folder): results for path, results in seen.items()}


def _plane(searches: Sequence[Results], by: str, cost: str) -> tuple[str, str]:
    if by and by not in QUALITIES:
        raise UserError(unknown("quality", by, QUALITIES), key="--by")
    if cost not in COSTS:
        raise UserError(unknown("cost", cost, COSTS), key="--cost")
    return by or split(searches[0].objectives)[0], cost


def _reference(searches: Sequence[Results], plane: tuple[str, str]) -> dict[str, float]:
    """The worst of each search's own reference point, so that no front is cut."""
    points = [reference_point(results.records, plane, results.limits) for results in searches]
    return {name: max(point[name] for point in points) for name in plane}


def _cost(record: TrialRecord, plane: tuple[str, str]) -> float:
    value = metric(record, OBJECTIVES[plane[1]].key)
    assert value is not None
    return value


def _kept(name: str, fronts: Mapping[str, list[TrialRecord]], plane: tuple[str, str]) -> list[TrialRecord]:
    """The models of a front that no model of another search equals or beats in both."""
    others = [record for other, front in fronts.items() if other != name for record in front]

    def beaten(record: TrialRecord, other: TrialRecord) -> bool:
        ours, theirs = ((_cost(each, plane), level(each, plane[0])) for each in (record, other))
        return theirs[0] <= ours[0] and theirs[1] <= ours[1] and theirs != ours

    return [record for record in fronts[name] if not any(beaten(record, other) for other in others)]


def _ranges(fronts: Mapping[str, list[TrialRecord]], plane: tuple[str, str]) -> list[Range]:
    """Between neighbouring costs of all fronts nothing changes; neighbours with the same leaders are one range."""
    costs = sorted({_cost(record, plane) for front in fronts.values() for record in front})
    found: list[Range] = []
    for low, high in pairwise([*costs, math.inf]):
        step = _step(fronts, plane, low, high)
        last = found[-1] if found else None
        if last and last.leaders == step.leaders and (last.least is None) is (step.least is None):
            found[-1] = _joined(last, step)
        else:
            found.append(step)
    return found


def _step(fronts: Mapping[str, list[TrialRecord]], plane: tuple[str, str], low: float, high: float) -> Range:
    """Who leads where a model may cost at least `low` and less than `high`, the next cost of any front."""
    best = {name: each[-1] for name, front in fronts.items() if (each := _affordable(front, plane, low))}
    levels = {name: level(record, plane[0]) for name, record in best.items()}
    top = min(levels.values())
    leaders = tuple(name for name, value in levels.items() if value == top)
    behind = [value for value in levels.values() if value > top]
    lead = 0.0 if len(leaders) > 1 else min(behind) - top if behind else None
    return Range(low=low, high=high, leaders=leaders, least=lead, most=lead, best=best[leaders[0]])


def _affordable(front: Sequence[TrialRecord], plane: tuple[str, str], cost: float) -> list[TrialRecord]:
    return [record for record in front if _cost(record, plane) <= cost]


def _joined(one: Range, other: Range) -> Range:
    leads = [lead for each in (one, other) for lead in (each.least, each.most) if lead is not None]
    return Range(
        low=one.low,
        high=other.high,
        leaders=one.leaders,
        least=min(leads, default=None),
        most=max(leads, default=None),
        best=other.best,
    )


def _share(name: str, ranges: Sequence[Range], reference: float) -> float:
    """Of the range from the cheapest model of any search to the reference point, on a logarithmic scale."""
    whole = math.log(reference / ranges[0].low)
    led = sum(_width(each, reference) for each in ranges if each.leaders == (name,))
    return led / whole if whole > 0 else float(ranges[-1].leaders == (name,))


def _width(each: Range, reference: float) -> float:
    return max(0.0, math.log(min(each.high, reference) / min(each.low, reference)))


def comparison_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The ranges as plain values, for csv and json."""
    key = OBJECTIVES[comparison.plane[1]].key
    for each in comparison.ranges:
        model = each.best.candidate.model
        yield {
            f"from_{key}": each.low,
            f"to_{key}": each.high if math.isfinite(each.high) else None,
            "leaders": list(each.leaders),
            "least_lead": each.least,
            "most_lead": each.most,
            "best_trial": each.best.number,
            "variant": model.variant,
            "layers": model.layers,
            comparison.plane[0]: metric(each.best, OBJECTIVES[comparison.plane[0]].key),
        }
