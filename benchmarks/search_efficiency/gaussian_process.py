"""Optuna's `GPSampler` with both objectives, over the models of a table.

Its acquisition function is maximised over the models that are left, so that none of its proposals misses the table:
that is kinder than what our own samplers get, whose draws are matched to it. A Gaussian process of Optuna knows the
parameters that all trials have in common, and no others; those of a branch come with the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import GPSampler, RandomSampler

from benchmarks.search_efficiency.driving import Proposals
from msarch.training.validation import Validation
from search.ledger.metrics import objective_values
from search.replay.places import Places
from search.replay.table import Table, TableModel
from search.replay.table_sampler import TableSampler

if TYPE_CHECKING:
    from optuna import Study
    from optuna._gp.acqf import BaseAcquisitionFunc
    from optuna.trial import FrozenTrial


class GaussianProcess:
    """Trains each proposal to its end: Optuna prunes nothing where a study has several objectives."""

    def __init__(self, table: Table, seed: int) -> None:
        self._table = table
        self._proposals = Proposals(table, GPTableSampler(table, seed), len(table.objectives))

    def propose(self) -> TableModel | None:
        """The model with the largest expected improvement of the hypervolume; the first ten at random."""
        return self._proposals.next_model()

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """Always."""
        return True

    def ended(self, model: TableModel, point: Validation) -> None:
        """Tell both objectives."""
        values = objective_values(model.record, self._table.objectives)
        assert values is not None
        self._proposals.tell(model, values)


class GPTableSampler(TableSampler):
    """Chooses the models of a table by a Gaussian process."""

    def __init__(self, table: Table, seed: int) -> None:
        left = set(range(len(table.models)))
        super().__init__(RandomSampler(seed), table.models, Places(table.models), left, table.space.suggest)
        self._process = _OverModels(table.models, left, seed)

    def _choose(self, study: Study, trial: FrozenTrial) -> int:
        dists = self._process.infer_relative_search_space(study, trial)
        if self._process.sample_relative(study, trial, dists):
            return self._process.index
        return super()._choose(study, trial)  # one of the first


class _OverModels(GPSampler):
    """Maximises the acquisition function over models."""

    index: int

    def __init__(self, models: Sequence[TableModel], left: set[int], seed: int) -> None:
        super().__init__(seed=seed)
        self._models, self._left = models, left

    def _optimize_acqf(self, acqf: BaseAcquisitionFunc, best_params: np.ndarray | None) -> np.ndarray:
        left = sorted(self._left)
        params: Any = [self._models[index].params for index in left]
        points = acqf.search_space.get_normalized_params(params, params)
        best = int(acqf.eval_acqf_no_grad(points).argmax())
        self.index = left[best]
        chosen: np.ndarray = points[best]
        return chosen
