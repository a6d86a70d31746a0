"""The two Optuna studies of a search, in one journal.

The *search study* is the truth. It has one value per objective, is told final values only, and its trials'
attributes hold all that a record needs. Optuna lets a study of several objectives neither report nor prune,
so a *mirror study* of one objective, the loss, holds the curves of trained trials and is what a pruner sees.
It is made anew from the search study wherever the two differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from search.ledger.records import TrialRecord
from search.propose.false_prunes import costs_of

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

SEARCH, MIRROR = "search", "curves"


def open_search_study(storage: BaseStorage, objectives: Sequence[str]) -> optuna.Study:
    """The search study, made where it is missing. All objectives are minimised."""
    with quiet_optuna():
        study = open_study(storage, SEARCH, values=len(objectives))
        if list(study.metric_names or ()) != list(objectives):
            study.set_metric_names(list(objectives))
    return study


def open_study(storage: BaseStorage, name: str, *, values: int, pruner: BasePruner | None = None) -> optuna.Study:
    """A study by name. Optuna's `load_if_exists` would write a line into the journal at each opening."""
    import optuna

    if name in {study.study_name for study in storage.get_all_studies()}:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    return optuna.create_study(study_name=name, storage=storage, pruner=pruner, directions=["minimize"] * values)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's own lines on the terminal: they tell of studies, which our users never meet."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


class Mirror:
    """The study that holds the curves and asks the pruner."""

    def __init__(self, storage: BaseStorage, pruner: BasePruner, objectives: Sequence[str]) -> None:
        self._storage = storage
        self._pruner = pruner
        self._objectives = objectives
        self._study = self._open()
        self._numbers = {trial.user_attrs["number"]: trial.number for trial in self._trials()}

    def match(self, records: Sequence[TrialRecord]) -> bool:
        """Make the mirror hold what the records say; whether it had to be made anew."""
        trained = [
            r for r in records if r.state in ("complete", "pruned", "failed", "running") or (r.ran_out and r.curve)
        ]
        meant = {
            record.number: self._picture(record) for record in trained if record.curve or record.state != "running"
        }
        if meant == {trial.user_attrs["number"]: _picture(trial) for trial in self._trials()}:
            return False
        import optuna

        with quiet_optuna():
            optuna.delete_study(study_name=MIRROR, storage=self._storage)
        self._study = self._open()
        self._numbers = {}
        for record in trained:
            if record.number in meant:
                self._add(record)
        return True

    def report(self, record: TrialRecord) -> None:
        """Write the last point of a trial's curve."""
        if record.number not in self._numbers:
            self._add(record)
            return
        point = record.curve[-1]
        trial = self._trial(record.number)
        self._storage.set_trial_intermediate_value(trial._trial_id, self._step(record, point.rung), point.loss)

    def should_prune(self, number: int) -> bool:
        """What the pruner says to the trial's last point."""
        return self._pruner.prune(self._study, self._trial(number))

    def is_control(self, number: int) -> bool:
        """Whether the pruner spared the trial to see how it ends."""
        from search.propose.pareto_pruner import CONTROL

        return number in self._numbers and CONTROL in self._trial(number).user_attrs

    def finish(self, record: TrialRecord) -> None:
        """Close a trial as the record says."""
        if record.number not in self._numbers:
            self._add(record)
        elif not self._trial(record.number).state.is_finished():
            values = [record.loss] if record.state == "complete" and record.loss is not None else None
            self._storage.set_trial_state_values(self._trial(record.number)._trial_id, _state(record), values)

    def _open(self) -> optuna.Study:
        with quiet_optuna():
            return open_study(self._storage, MIRROR, values=1, pruner=self._pruner)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _trial(self, number: int) -> FrozenTrial:
        return self._trials()[self._numbers[number]]

    def _step(self, record: TrialRecord, rung: int) -> int:
        from search.propose.pruners import step_of

        return step_of(record.candidate.training.rungs, rung)

    def _add(self, record: TrialRecord) -> None:
        import optuna

        from search.propose.pareto_pruner import CONTROL, COSTS, LAST_STEP, NUMBER

        rungs = record.candidate.training.rungs
        attributes = {
            NUMBER: record.number,
            COSTS: costs_of(record.profile, self._objectives),
            LAST_STEP: self._step(record, len(rungs) - 1),
        }
        if record.control_rung is not None:
            attributes[CONTROL] = self._step(record, record.control_rung)
        trial = optuna.trial.create_trial(
            state=_state(record),
            value=record.loss if record.state == "complete" else None,
            user_attrs=attributes,
            intermediate_values={self._step(record, point.rung): point.loss for point in record.curve},
        )
        self._numbers[record.number] = len(self._trials())
        self._study.add_trial(trial)

    def _picture(self, record: TrialRecord) -> tuple[Any, ...]:
        curve = {self._step(record, point.rung): point.loss for point in record.curve}
        return (_state(record).name, curve, costs_of(record.profile, self._objectives), record.control_rung is not None)


def _picture(trial: FrozenTrial) -> tuple[Any, ...]:
    from search.propose.pareto_pruner import CONTROL, COSTS

    return (trial.state.name, dict(trial.intermediate_values), trial.user_attrs[COSTS], CONTROL in trial.user_attrs)


def _state(record: TrialRecord) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    return {
        "complete": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
        "infeasible": TrialState.FAIL,
        "running": TrialState.RUNNING,
    }[record.state]
