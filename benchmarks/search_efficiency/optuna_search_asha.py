"""Ray Tune as most people use it: its `OptunaSearch` proposes, its `AsyncHyperBandScheduler` (ASHA) stops.

Both are driven as Ray Tune's loop does, with their defaults; they see the loss alone, for ASHA ranks by one figure.
`OptunaSearch` proposes by TPE. Its sampler is wrapped as in our own replays, so that what it draws is matched to the
table, and it is told the last loss of a stopped trial as if the trial had ended there, which is what Ray does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from optuna.samplers import TPESampler

from benchmarks.search_efficiency.driving import step, steps, table_sampler
from msarch.training.validation import Validation
from search.replay.table import Table, TableModel


class _Trial(NamedTuple):
    """As much of Ray's trial as the scheduler looks at."""

    trial_id: str


class OptunaSearchAsha:
    """Ray's searcher and scheduler."""

    def __init__(self, table: Table, seed: int) -> None:
        from ray.tune.schedulers import AsyncHyperBandScheduler
        from ray.tune.search.optuna import OptunaSearch

        def suggest(trial: Any) -> None:
            table.space.suggest(trial)

        self._sampler = table_sampler(table, TPESampler(seed=seed))
        self._searcher = OptunaSearch(suggest, metric="loss", mode="min", sampler=self._sampler)
        self._scheduler: Any = AsyncHyperBandScheduler(
            time_attr="training_iteration", metric="loss", mode="min", max_t=steps(table)
        )

    def propose(self) -> TableModel | None:
        """What the searcher suggests."""
        if not self._sampler.left:
            return None
        trial = _Trial(str(self._sampler.left))
        self._searcher.suggest(trial.trial_id)
        self._trial = trial
        self._scheduler.on_trial_add(None, trial)
        return self._sampler.chosen

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """What the scheduler says."""
        result = _result(model, point)
        self._searcher.on_trial_result(self._trial.trial_id, result)
        return bool(self._scheduler.on_trial_result(None, self._trial, result) == "CONTINUE")

    def ended(self, model: TableModel, point: Validation) -> None:
        """Ray completes a trial with the searcher whether it was stopped or not."""
        result = _result(model, point)
        if len(model.record.curve) == point.rung + 1:
            self._scheduler.on_trial_complete(None, self._trial, result)
        else:
            self._scheduler.on_trial_remove(None, self._trial)
        self._searcher.on_trial_complete(self._trial.trial_id, result)


def _result(model: TableModel, point: Validation) -> dict[str, Any]:
    return {"loss": point.loss, "training_iteration": step(model, point)}
