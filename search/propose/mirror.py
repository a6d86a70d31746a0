"""The mirror study: what pruners judge by.

Optuna lets a study of several objectives neither report nor prune. So beside the search study, the truth with
final values only, a study of one objective holds the curves of trained trials: their losses, or their bits per byte
where the search minimises these. It lies in the same journal, and is rebuilt from the ledger's records wherever the
two differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.ledger.metrics import final_quality, quality_of
from search.ledger.records import TRAINED, TrialRecord
from search.ledger.studies import StudyTrials, open_study, quiet_optuna
from search.propose.false_prunes import costs_of
from search.propose.pareto_pruner import CONTROL_AT, COSTS, LAST_STEP, NUMBER
from search.propose.pruners import step_of

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

MIRROR = "curves"
"""Name of the mirror study."""


class Mirror:
    """The study that holds the curves and asks the pruner."""

    def __init__(self, storage: BaseStorage, pruner: BasePruner, objectives: Sequence[str]) -> None:
        self._ledger_storage = storage
        self._pruner = pruner
        self._objectives = objectives
        self._open()

    def match(self, records: Sequence[TrialRecord]) -> bool:
        """Rebuild the mirror if it differs from the records; returns whether it did."""
        reported = [record for record in records if _belongs(record) and (record.curve or record.state != "running")]
        expected = {record.number: self._contents(record) for record in reported}
        if expected == {trial.user_attrs[NUMBER]: _contents(trial) for trial in self._trials.all()}:
            return False
        import optuna

        with quiet_optuna():
            optuna.delete_study(study_name=MIRROR, storage=self._ledger_storage)
        self._open()
        for record in reported:
            self._add(record)
        return True

    def report(self, record: TrialRecord) -> None:
        """Write the last point of a trial's curve."""
        if record.number not in self._numbers:
            self._add(record)
            return
        point = record.curve[-1]
        quality = quality_of(point, self._objectives)
        self._trials.set_intermediate_value(self._numbers[record.number], _step(record, point.rung), quality)

    def should_prune(self, number: int) -> bool:
        """What the pruner says to the trial's last point."""
        return self._pruner.prune(self._study, self._trial(number))

    def is_control(self, number: int) -> bool:
        """Whether the pruner would have stopped the trial, and let it run to see how it ends."""
        return number in self._numbers and CONTROL_AT in self._trial(number).user_attrs

    def finish(self, record: TrialRecord) -> None:
        """Close a trial as the record says; one that was never trained is ignored."""
        if not _belongs(record):
            return
        if record.number not in self._numbers:
            self._add(record)
        elif not self._trial(record.number).state.is_finished():
            value = self._value(record)
            self._trials.close(self._numbers[record.number], _state(record), None if value is None else [value])

    def _open(self) -> None:
        with quiet_optuna():
            self._study = open_study(self._ledger_storage, MIRROR, values=1, pruner=self._pruner)
        self._trials = StudyTrials(self._study)
        self._numbers = {trial.user_attrs[NUMBER]: trial.number for trial in self._trials.all()}

    def _trial(self, number: int) -> FrozenTrial:
        return self._trials.get(self._numbers[number])

    def _add(self, record: TrialRecord) -> None:
        import optuna

        attributes = {
            NUMBER: record.number,
            COSTS: costs_of(record.profile, self._objectives),
            LAST_STEP: _step(record, len(record.candidate.training.rungs) - 1),
        }
        if record.control_rung is not None:
            attributes[CONTROL_AT] = _step(record, record.control_rung)
        trial = optuna.trial.create_trial(
            state=_state(record),
            value=self._value(record),
            user_attrs=attributes,
            intermediate_values=self._curve(record),
        )
        self._numbers[record.number] = len(self._trials.all())
        self._study.add_trial(trial)

    def _value(self, record: TrialRecord) -> float | None:
        return final_quality(record, self._objectives) if record.state == "complete" else None

    def _curve(self, record: TrialRecord) -> dict[int, float]:
        return {_step(record, point.rung): quality_of(point, self._objectives) for point in record.curve}

    def _contents(self, record: TrialRecord) -> tuple[Any, ...]:
        costs = costs_of(record.profile, self._objectives)
        return (_state(record).name, self._curve(record), costs, record.control_rung is not None)


def _belongs(record: TrialRecord) -> bool:
    """Whether a trial belongs in the mirror: trained, in training, or out of memory after a validation."""
    return record.state in (*TRAINED, "running") or bool(record.ran_out and record.curve)


def _contents(trial: FrozenTrial) -> tuple[Any, ...]:
    return (trial.state.name, dict(trial.intermediate_values), trial.user_attrs[COSTS], CONTROL_AT in trial.user_attrs)


def _step(record: TrialRecord, rung: int) -> int:
    return step_of(record.candidate.training.rungs, rung)


def _state(record: TrialRecord) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    if record.paused:
        return TrialState.RUNNING
    return {
        "complete": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
        "infeasible": TrialState.FAIL,
        "running": TrialState.RUNNING,
    }[record.state]
