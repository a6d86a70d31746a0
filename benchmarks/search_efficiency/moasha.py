"""Syne Tune's MOASHA: successive halving by non-dominated sorting of (loss, memory).

The scheduler is driven as Syne Tune's tuner does, with its defaults. It draws configurations at random from a space
without conditions, which cannot hold branches; so it gets the random proposals of our own baseline, and decides which
of them go on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from benchmarks.search_efficiency.driving import random_proposals, step, steps
from msarch.training.validation import Validation
from search.replay.table import Table, TableModel


class Moasha:
    """Syne Tune's scheduler over random proposals."""

    def __init__(self, table: Table, seed: int) -> None:
        from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

        self._proposals = random_proposals(table, seed)
        self._scheduler = MOASHA({}, metrics=["loss", "memory"], time_attr="step", max_t=steps(table), random_seed=seed)

    def propose(self) -> TableModel | None:
        """A random one."""
        from syne_tune.backend.trial_status import Trial

        model = self._proposals.next_model()
        if model is not None:
            self._trial = Trial(model.record.number, {}, datetime.now())
            self._scheduler.on_trial_add(self._trial)
        return model

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """What the scheduler says."""
        return bool(self._scheduler.on_trial_result(self._trial, _result(model, point)) == "CONTINUE")

    def ended(self, model: TableModel, point: Validation) -> None:
        """Complete, or taken out."""
        if len(model.record.curve) == point.rung + 1:
            self._scheduler.on_trial_complete(self._trial, _result(model, point))
        else:
            self._scheduler.on_trial_remove(self._trial)


def _result(model: TableModel, point: Validation) -> dict[str, Any]:
    return {"loss": point.loss, "memory": model.record.profile["memory_bytes"], "step": step(model, point)}
