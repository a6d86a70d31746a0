"""What the models of a table may be expected to end with: their losses without the luck of one seed.

Every model of a table ended once, some of them with further seeds too (`benchmarks.seed_noise`). A Gaussian process
over the features of `front` says what the losses have in common; what one seed adds is as large as was measured. So the
expected loss of a model lies between what it ended with and what models that are like it ended with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor

from benchmarks.search_efficiency.stopped import noise_of
from benchmarks.seed_noise import FILE as SEEDS
from msarch.training.validation import Validation
from search.propose.front.features import Encoder, features
from search.propose.front.kernels import LeadKernel
from search.replay.table import Table, TableModel

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExpectedLosses:
    """Of a table's models, in its order, nats.

    Attributes:
        table: whose models.
        noise: standard deviation of a loss between seeds.
    """

    table: Table
    noise: float

    @cached_property
    def mean(self) -> Floats:
        """The best guess of each, (models,)."""
        found: Floats = self._centre + self._scale * self._process.predict(self._inputs)
        return found

    def draw(self, seed: int) -> Floats:
        """Expected losses that may be the true ones after all that is known, (models,)."""
        drawn: Floats = self._process.sample_y(self._inputs, random_state=seed)[:, 0]
        return self._centre + self._scale * drawn

    def from_others(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each model's loss as all others foretell it: left out one by one."""
        inverse = np.linalg.inv(self._process.kernel_(self._inputs) + np.diag(self._process.alpha))
        known = (self._losses[0] - self._centre) / self._scale
        mean = known - (inverse @ known) / np.diag(inverse)
        return self._centre + self._scale * mean, self._scale / np.sqrt(np.diag(inverse))

    @cached_property
    def _losses(self) -> tuple[Floats, Floats]:
        """The mean of each model's seeds, and how many there are."""
        further = further_seeds(self.table)
        ends = [[end_of(model).loss, *further.get(model.record.number, ())] for model in self.table.models]
        return np.array([np.mean(losses) for losses in ends]), np.array([len(losses) for losses in ends])

    @property
    def _centre(self) -> float:
        return float(self._losses[0].mean())

    @property
    def _scale(self) -> float:
        return float(self._losses[0].std())

    @cached_property
    def _features(self) -> tuple[Floats, int]:
        described = [features(model.record.candidate, model.record.profile) for model in self.table.models]
        encoder = Encoder(described)
        return encoder.matrix(described), encoder.training

    @cached_property
    def _inputs(self) -> Floats:
        matrix, _ = self._features
        return np.column_stack([matrix, np.arange(len(matrix))])

    @cached_property
    def _process(self) -> GaussianProcessRegressor:
        losses, seeds = self._losses
        matrix, training = self._features
        luck = (self.noise / self._scale) ** 2 / seeds
        process = GaussianProcessRegressor(LeadKernel(training, matrix.shape[1]), alpha=luck)
        return process.fit(self._inputs, (losses - self._centre) / self._scale)


def expected_losses(table: Table) -> ExpectedLosses:
    """With the noise that was measured for this table."""
    assert table.folder is not None
    return ExpectedLosses(table, noise_of(table.folder, table))


def further_seeds(table: Table) -> dict[int, list[float]]:
    """Final losses of models that were trained with further seeds, by the numbers of their trials."""
    assert table.folder is not None
    if not (file := table.folder / SEEDS).exists():
        return {}
    runs = pd.read_csv(file)
    last = {model.record.number: end_of(model).rung for model in table.models}
    ends = runs[runs.rung == runs.trial.map(last)]
    return {number: ends[ends.trial == number].loss.tolist() for number in set(ends.trial.tolist())}


def end_of(model: TableModel) -> Validation:
    """What a model ended with."""
    return model.record.curve[-1]


def without_luck(expected: ExpectedLosses) -> Table:
    """The same models as if each had ended with its expected loss."""
    table = expected.table
    return replace(table, models=tuple(map(_ending, table.models, expected.mean.tolist())))


def _ending(model: TableModel, loss: float) -> TableModel:
    end = end_of(model)
    lucky = replace(end, loss=loss, bits_per_byte=end.bits_per_byte * loss / end.loss)
    return replace(model, record=replace(model.record, curve=(*model.record.curve[:-1], lucky)))
