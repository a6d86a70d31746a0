"""Ceilings that know a table but for its luck: what could a perfect model of the loss do?

They train every model to its end, and always the one that is expected to add most hypervolume. What a seed adds to a
loss they learn at its end, as any search does.
"""

from __future__ import annotations

import numpy as np

from benchmarks.search_efficiency.expected import Floats, end_of, expected_losses
from msarch.training.validation import Validation
from search.propose.front.improvement import FrontLevels
from search.replay.table import Table, TableModel


class Foresight:
    """Chooses by expected hypervolume improvement.

    Args:
        mean: what each model is expected to end with, nats, in the order of the table.
        spread: the standard deviation of the loss around it.
    """

    def __init__(self, table: Table, mean: Floats, spread: Floats) -> None:
        self._models, self._mean, self._spread = table.models, mean, spread
        self._costs = np.log([[model.record.profile["memory_bytes"]] for model in table.models])
        self._losses = np.array([end_of(model).loss for model in table.models])
        self._left, self._trained = list(range(len(table.models))), list[int]()

    def propose(self) -> TableModel | None:
        """The one that is expected to add most."""
        if not self._left:
            return None
        levels = FrontLevels(
            self._costs[self._trained], self._losses[self._trained], self._costs.max(axis=0), self._losses.max()
        )
        gains = levels.expected_gain(self._costs[self._left], self._mean[self._left], self._spread[self._left])
        index = self._left.pop(int(gains.argmax()))
        self._trained.append(index)
        return self._models[index]

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """Always."""
        return True

    def ended(self, model: TableModel, point: Validation) -> None:
        """Its loss counts from now on."""


def without_luck(table: Table, seed: int) -> Foresight:
    """Knows the expected loss of each model exactly: for each seed one that the table's losses leave possible."""
    expected = expected_losses(table)
    return Foresight(table, expected.draw(seed), np.full(len(table.models), expected.noise))


def from_others(table: Table, seed: int) -> Foresight:
    """Knows of each model what the ends of all other models foretell: all that there is to learn, before it began."""
    return Foresight(table, *expected_losses(table).from_others())
