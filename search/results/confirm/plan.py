"""What is trained again: the front, and beside each of its models the best vanilla one that costs no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msarch.config.candidate import Candidate
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.front import pareto_front, split
from search.results.variants import BASELINE, level, usable
from search.space.objectives import OBJECTIVES


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A multi-scale model of the front and its rival.

    Attributes:
        point: the model.
        rival: the best complete vanilla trial that costs no more; None where there is none.
    """

    point: TrialRecord
    rival: TrialRecord | None


def pairs(records: Sequence[TrialRecord], objectives: Sequence[str]) -> list[Pair]:
    """One for each multi-scale model of the front, the cheapest first."""
    front = pareto_front(records, objectives)
    points = [record for record in front if record.candidate.model.variant != BASELINE]
    return [Pair(point=point, rival=_rival(point, records, objectives)) for point in points]


def trials_to_confirm(records: Sequence[TrialRecord], objectives: Sequence[str]) -> list[TrialRecord]:
    """The front and all rivals, each once, the cheapest first."""
    chosen = [*pareto_front(records, objectives), *(pair.rival for pair in pairs(records, objectives) if pair.rival)]
    key = OBJECTIVES[split(objectives)[1]].key
    unique = {record.number: record for record in chosen}
    return sorted(unique.values(), key=lambda record: (metric(record, key) or 0.0, record.number))


def reseeded(candidate: Candidate, further: int) -> Candidate:
    """The candidate with the `further`-th seed after its own, from 1: with its own it was chosen."""
    return replace(candidate, seed=candidate.seed + further)


def _rival(point: TrialRecord, records: Sequence[TrialRecord], objectives: Sequence[str]) -> TrialRecord | None:
    """The best vanilla model that costs no more, whichever cost is asked for."""
    keys = [OBJECTIVES[name].key for name in objectives if not OBJECTIVES[name].quality]
    fitting = [
        record
        for record in usable(records, split(objectives))
        if record.candidate.model.variant == BASELINE
        and all((metric(record, key) or 0.0) <= (metric(point, key) or 0.0) for key in keys)
    ]
    return min(fitting, key=lambda record: (level(record, split(objectives)[0]), record.number), default=None)
