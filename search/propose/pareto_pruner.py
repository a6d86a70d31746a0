"""The Pareto-aware pruner of a search: `search.propose.pareto_rule`, applied to a mirror study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from search.ledger.studies import StudyTrials
from search.propose.pareto_rule import Finished, History, ParetoRule

if TYPE_CHECKING:
    from optuna import Study

COSTS, NUMBER, LAST_STEP, CONTROL_AT = "costs", "number", "last_step", "control"
"""Attributes of a mirror trial: its costs, its number in the search, the step of its last rung, and the step at which
it would have been stopped and runs on as a control."""


class ParetoPruner(BasePruner):
    """Stops a trial only where complete trials that cost no more were clearly better at the same rung."""

    def __init__(self, rule: ParetoRule | None = None) -> None:
        self.rule = rule or ParetoRule()
        self._study: Study | None = None
        self._histories: dict[int, History] = {}  # by step
        self._taken: set[int] = set()  # the complete trials that they hold

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop `trial`, a trial of a mirror study, at its last reported step."""
        step = trial.last_step
        if step is None or step >= trial.user_attrs[LAST_STEP] or CONTROL_AT in trial.user_attrs:
            return False
        self._learn(study)
        history = self._histories.get(step)
        if len(self._taken) < self.rule.min_complete or history is None:
            return False
        if not self.rule.is_behind(trial.user_attrs[COSTS], trial.intermediate_values[step], history):
            return False
        if self.rule.is_control(trial.user_attrs[NUMBER]):
            StudyTrials(study).set_attribute(trial.number, CONTROL_AT, step)
            return False
        return True

    def _learn(self, study: Study) -> None:
        """Take in the trials that are complete and were not before; a mirror that was rebuilt is another study."""
        if study is not self._study:
            self._study, self._histories, self._taken = study, {}, set()
        for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if other.number not in self._taken:
                self._taken.add(other.number)
                assert other.values is not None  # it is complete
                for step, loss in other.intermediate_values.items():
                    finished = Finished(tuple(other.user_attrs[COSTS]), loss, other.values[0])
                    self._histories.setdefault(step, self.rule.history()).add(finished)
