"""What trials cost, and how often the pruner would have been wrong: judged by the controls that it let run on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.ledger.metrics import final_quality
from search.ledger.records import TrialRecord
from search.propose.pareto_rule import costs_no_more
from search.space.objectives import OBJECTIVES


def costs_of(profile: dict[str, Any], objectives: Sequence[str]) -> list[float]:
    """The figures of a profile that are objectives known before training."""
    known = (OBJECTIVES[name] for name in objectives)
    return [float(profile[objective.key]) for objective in known if objective.known_before_training]


def false_prunes(records: Sequence[TrialRecord], objectives: Sequence[str]) -> tuple[int, int]:
    """How many controls ended ahead of every complete trial that costs no more, and how many controls ended.

    A control is a trial that the pruner would have stopped; the quotient is its false-prune rate.
    """
    ended = [
        record for record in records if record.state == "complete" and final_quality(record, objectives) is not None
    ]
    controls = [record for record in ended if record.control_rung is not None]
    return sum(_is_ahead(control, ended, objectives) for control in controls), len(controls)


def _is_ahead(control: TrialRecord, ended: Sequence[TrialRecord], objectives: Sequence[str]) -> bool:
    costs = costs_of(control.profile, objectives)
    reached = final_quality(control, objectives)
    assert reached is not None
    return not any(
        (quality := final_quality(other, objectives)) is not None and quality <= reached
        for other in ended
        if other is not control and costs_no_more(costs_of(other.profile, objectives), costs)
    )
