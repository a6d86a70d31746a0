"""The Pareto-aware pruner of a search: `search.propose.pareto_rule`, applied to a mirror study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from search.ledger.studies import StudyTrials
from search.propose.pareto_rule import Finished, ParetoRule

if TYPE_CHECKING:
    from optuna import Study

COSTS, NUMBER, LAST_STEP, CONTROL_AT = "costs", "number", "last_step", "control"
"""Attributes of a mirror trial: its costs, its number in the search, the step of its last rung, and the step at which
it would have been stopped and runs on as a control."""


class ParetoPruner(BasePruner):
    """Stops a trial only where complete trials that cost no more were clearly better at the same rung."""

    def __init__(self, rule: ParetoRule | None = None) -> None:
        self.rule = rule or ParetoRule()

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop `trial`, a trial of a mirror study, at its last reported step."""
        step = trial.last_step
        if step is None or step >= trial.user_attrs[LAST_STEP] or CONTROL_AT in trial.user_attrs:
            return False
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < self.rule.min_complete:
            return False
        finished = [
            Finished(tuple(other.user_attrs[COSTS]), other.intermediate_values[step], other.values[0])
            for other in complete
            if step in other.intermediate_values and other.values is not None
        ]
        if not self.rule.is_behind(trial.user_attrs[COSTS], trial.intermediate_values[step], finished):
            return False
        if self.rule.is_control(trial.user_attrs[NUMBER]):
            StudyTrials(study).set_attribute(trial.number, CONTROL_AT, step)
            return False
        return True
