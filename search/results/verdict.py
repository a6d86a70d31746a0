"""What came of a search, as one comparison: its best model against vanilla models that are as good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.variants import BASELINE, usable
from search.space.objectives import OBJECTIVES

AS_GOOD = 0.01
"""Share of a quality (1 % of a perplexity) within which two models count as equally good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The best model, and the one of the other camp (vanilla or multi-scale) that says most about it.

    Attributes:
        best: the complete trial of the best quality; of equal ones the cheapest.
        rival: of the other camp, the cheapest trial that is as good within `AS_GOOD`, or, where none is, the one of
            the best quality; None where no trial of the other camp is complete.
        as_good: whether the rival is as good.
        extra_cost: by which share the best needs more than the rival; below 0 where it needs less.
        extra_quality: by which share the rival's perplexity (or bits per byte) is above that of the best.
    """

    best: TrialRecord
    rival: TrialRecord | None = None
    as_good: bool = False
    extra_cost: float = 0.0
    extra_quality: float = 0.0


def verdict(records: Sequence[TrialRecord], plane: tuple[str, str]) -> Verdict | None:
    """The comparison in the plane of a quality and a cost; None where no trial is complete."""
    quality, cost = (OBJECTIVES[name].key for name in plane)
    members = {r.number: (r, metric(r, quality) or 0.0, metric(r, cost) or 0.0) for r in usable(records, plane)}
    if not members:
        return None
    best, level, price = min(members.values(), key=lambda each: (each[1], each[2], each[0].number))
    others = [each for each in members.values() if _is_baseline(each[0]) is not _is_baseline(best)]
    if not others:
        return Verdict(best=best)
    equals = [each for each in others if each[1] <= level * (1 + AS_GOOD)]
    if equals:
        rival = min(equals, key=lambda each: (each[2], each[1], each[0].number))
    else:
        rival = min(others, key=lambda each: (each[1], each[2], each[0].number))
    return Verdict(
        best=best,
        rival=rival[0],
        as_good=bool(equals),
        extra_cost=price / rival[2] - 1,
        extra_quality=rival[1] / level - 1,
    )


def _is_baseline(record: TrialRecord) -> bool:
    return record.candidate.model.variant == BASELINE
