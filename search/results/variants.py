"""What each variant can do alone: its own front, and the best model it reaches at each doubling of a cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.ledger.metrics import metric, objective_values
from search.ledger.records import TrialRecord
from search.results.front import hypervolume, pareto_front
from search.space.objectives import OBJECTIVES

BASELINE = "vanilla"
"""The variant that every other one is held against."""
MOST_BUDGETS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantFront:
    """One variant by itself.

    Attributes:
        variant: its name.
        complete: how many of its trials are complete.
        front: those that no other trial of this variant beats in both, the cheapest first.
        hypervolume: between that front and the reference point.
    """

    variant: str
    complete: int
    front: list[TrialRecord]
    hypervolume: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The best model of each variant within a budget; a variant without one that fits is absent.

    Attributes:
        cost: the budget, in the unit of the cost.
        best: by variant.
    """

    cost: float
    best: dict[str, TrialRecord]

    def gain(self, quality: str) -> float | None:
        """By how much the best multi-scale model is better than the best vanilla one; None where one is missing.

        In nats for perplexity, in bits for bits_per_byte; below 0 where vanilla is better.
        """
        others = [record for variant, record in self.best.items() if variant != BASELINE]
        if BASELINE not in self.best or not others:
            return None
        return level(self.best[BASELINE], quality) - min(level(record, quality) for record in others)


def variant_fronts(
    records: Sequence[TrialRecord], plane: tuple[str, str], reference: Mapping[str, float]
) -> list[VariantFront]:
    """One for each variant of which a trial is complete with the figures of `plane` (quality, cost)."""
    found = []
    for variant, members in by_variant(usable(records, plane)).items():
        volume = hypervolume(members, plane, reference=reference)
        front = pareto_front(members, plane)
        found.append(VariantFront(variant=variant, complete=len(members), front=front, hypervolume=volume))
    return found


def budgets(records: Sequence[TrialRecord], plane: tuple[str, str]) -> list[Budget]:
    """The best of each variant at each doubling of the cost, from the cheapest complete trial to the dearest."""
    quality, cost = plane
    members = usable(records, plane)
    costs = {record.number: metric(record, OBJECTIVES[cost].key) or 0.0 for record in members}
    found = []
    for limit in doublings(list(costs.values()), OBJECTIVES[cost].unit == "bytes"):
        fitting = by_variant(record for record in members if costs[record.number] <= limit)
        best = {variant: min(each, key=lambda r: (level(r, quality), r.number)) for variant, each in fitting.items()}
        found.append(Budget(cost=limit, best=best))
    return found


def doublings(costs: Sequence[float], binary: bool) -> list[float]:
    """Round budgets, each twice the one before (or four times, where the costs span too much), that cover `costs`.

    Powers of two for bytes; else doublings of the cheapest cost, rounded up to two digits.
    """
    if not costs:
        return []
    low, high = min(costs), max(costs)
    start = 2.0 ** math.ceil(math.log2(low)) if binary else _round_up(low)
    steps = max(0, math.ceil(math.log2(high / start)))
    pace = 1 + steps // MOST_BUDGETS
    return [start * 2.0**step for step in range(0, steps + pace, pace)]


def usable(records: Iterable[TrialRecord], plane: tuple[str, str]) -> list[TrialRecord]:
    """The complete trials whose figures in `plane` are known and above 0."""
    complete = (record for record in records if record.state == "complete")
    return [record for record in complete if min(objective_values(record, plane) or (0.0,)) > 0]


def by_variant(records: Iterable[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """Trials by their variant, vanilla first, then in the order in which variants were first tried."""
    found: dict[str, list[TrialRecord]] = {BASELINE: []}
    for record in records:
        found.setdefault(record.candidate.model.variant, []).append(record)
    return {variant: members for variant, members in found.items() if members}


def level(record: TrialRecord, quality: str) -> float:
    """The loss in nats for perplexity, so that differences do not depend on where they are."""
    value = metric(record, OBJECTIVES[quality].key)
    assert value is not None
    return math.log(value) if quality == "perplexity" else value


def _round_up(value: float) -> float:
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / scale - 1e-9) * scale
