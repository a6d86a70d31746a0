"""Pruning in any study of Optuna that has several objectives, by `search.propose.pareto_rule`.

Optuna refuses `Trial.report` and `Trial.should_prune` where a study has several objectives: a trial has one curve, and
its pruner knows one direction. Here the curve is that of one objective, the others are costs that are known before
training, such as a model's size, and one call takes the place of both.

What it learns from are attributes of the study's own trials, written with `Trial.set_user_attr`. They outlive a
restart and are seen by every process that shares the study's storage. They are not Optuna's intermediate values, since
`TPESampler` sorts pruned trials by these in the study's one direction, and raises an error where there are several.
This file needs Optuna and numpy, and nothing of a search.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.propose.pareto_rule import Finished, ParetoRule

COSTS, VALUE_AT, CONTROL_AT = "pareto:costs", "pareto:value:", "pareto:control"
"""Attributes of a trial: its costs; followed by a step, its value there; and the step at which it would have been
stopped, and runs on as a control."""


class ParetoPruner:
    """Stops a trial only where complete trials that cost no more were clearly better at the same step.

    Nothing is stopped before some trials are complete, and the cheapest trial never. One trial in ten that would be
    stopped runs on as a control, so that the margin keeps learning from trials that start slow and win late.

    Args:
        objective: index of the one that falls (or rises) during a training; the others are costs.
        seed: decides which trials are controls.
        min_complete: complete trials before anything is stopped.
        floor: the smallest margin, in units of the objective: what two trainings differ by that differ in their seed.
        slack: how much worse than a rival a trial may end and still tell how slow starters catch up; in the same units.
        quantile: share of the trials that caught up which the margin covers.
        control: share of the would-be-stopped trials that run on.
    """

    def __init__(
        self,
        *,
        objective: int = 0,
        seed: int = 0,
        min_complete: int = 8,
        floor: float = 0.02,
        slack: float = 0.05,
        quantile: float = 0.9,
        control: float = 0.1,
    ) -> None:
        self.objective = objective
        self.rule = ParetoRule(
            seed=seed, min_complete=min_complete, floor=floor, slack=slack, quantile=quantile, control=control
        )

    def should_prune(self, trial: optuna.Trial, value: float, step: int, costs: Sequence[float]) -> bool:
        """Report a trial's value at a step, and say whether to stop it there.

        Ask at the same few steps in every trial, say after 1, 2, 4 and 8 epochs, and not after the last: trials are
        compared at equal steps. A value that is not finite counts as the worst.

        Args:
            costs: the other objectives' values, in the order in which the study has them.

        Raises:
            ValueError: there are more or fewer costs than other objectives, or one is not a number.
        """
        signed = self._signed(trial.study, costs)
        loss = self._loss(trial.study, value)
        trial.set_user_attr(COSTS, signed)
        trial.set_user_attr(f"{VALUE_AT}{step}", loss)
        if CONTROL_AT in trial.user_attrs:
            return False
        history = self.rule.history()
        for other in self._finished(trial.study, step):
            history.add(other)
        if len(history) < self.rule.min_complete or not self.rule.is_behind(signed, loss, history):
            return False
        if self.rule.is_control(trial.number):
            trial.set_user_attr(CONTROL_AT, step)
            return False
        return True

    def _finished(self, study: optuna.Study, step: int) -> Iterator[Finished]:
        """The complete trials that were asked about at this step and were still of use there."""
        for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            loss = other.user_attrs.get(f"{VALUE_AT}{step}", math.inf)
            if math.isfinite(loss):
                yield Finished(tuple(other.user_attrs[COSTS]), loss, self._end(study, other))

    def _end(self, study: optuna.Study, trial: FrozenTrial) -> float:
        assert trial.values is not None  # it is complete
        return self._loss(study, trial.values[self.objective])

    def _loss(self, study: optuna.Study, value: float) -> float:
        loss = -float(value) if study.directions[self.objective] == StudyDirection.MAXIMIZE else float(value)
        return math.inf if math.isnan(loss) else loss

    def _signed(self, study: optuna.Study, costs: Sequence[float]) -> list[float]:
        """Costs of which less is better."""
        others = [direction for index, direction in enumerate(study.directions) if index != self.objective]
        if len(costs) != len(others):
            raise ValueError(
                f"costs has {len(costs)} figures, {list(costs)!r}, and the study has {len(others)} objectives "
                f"beside number {self.objective}; give one cost for each of these"
            )
        signs = [-1.0 if direction == StudyDirection.MAXIMIZE else 1.0 for direction in others]
        found = [sign * float(cost) for sign, cost in zip(signs, costs, strict=True)]
        if any(math.isnan(cost) for cost in found):
            raise ValueError(f"a cost is not a number: {list(costs)!r}")
        return found
