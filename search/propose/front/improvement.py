"""How much hypervolume a model of known costs would add, as far as its loss can be foreseen.

The costs of a candidate are exact before it is trained, only its loss is not. So the expected improvement needs no
sampling: the cost space is cut into the cells in which the front is flat, and in each the improvement is that of one
uncertain number below a known level.
"""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class FrontLevels:
    """A front as a step function of the costs.

    Args:
        costs: of the models known, logarithms, (models, costs).
        losses: of the same, nats, (models,).
        reference: the costs up to which hypervolume counts, (costs,).
        worst: the loss from which on hypervolume counts, nats.
    """

    def __init__(self, costs: Floats, losses: Floats, reference: Floats, worst: float) -> None:
        lowest = np.full((1, len(reference)), -np.inf)
        corners = np.concatenate([lowest, np.minimum(costs, reference)])
        edges = [np.unique(np.append(column, limit)) for column, limit in zip(corners.T, reference, strict=True)]
        self._low, self._high = [edge[:-1] for edge in edges], [edge[1:] for edge in edges]
        self._levels = np.full([len(low) for low in self._low], float(worst))
        for cost, loss in zip(costs, losses, strict=True):
            region = np.ix_(*[low >= value for low, value in zip(self._low, cost, strict=True)])
            self._levels[region] = np.minimum(self._levels[region], loss)

    def expected_gain(self, costs: Floats, mean: Floats, spread: Floats) -> Floats:
        """Expected hypervolume that each of some models would add alone.

        Args:
            costs: logarithms, (models, costs).
            mean: of each model's foreseen loss, nats, (models,).
            spread: its standard deviation, (models,).
        """
        return np.array([self._gain(*one) for one in zip(costs, mean, spread, strict=True)])

    def _gain(self, cost: Floats, mean: float, spread: float) -> float:
        widths = [
            np.clip(high - np.maximum(low, value), 0.0, None)
            for low, high, value in zip(self._low, self._high, cost, strict=True)
        ]
        volumes = reduce(np.multiply.outer, widths, np.array(1.0))
        return float((volumes * expected_fall(self._levels, mean, spread)).sum())


def expected_fall(level: Floats, mean: float, spread: float) -> Floats:
    """E[max(0, level - loss)] for a normal loss: the expected improvement of Bayesian optimisation."""
    from scipy.special import ndtr

    spread = max(spread, 1e-9)
    scaled = (level - mean) / spread
    density = np.exp(-(scaled**2) / 2) / math.sqrt(2 * math.pi)
    found: Floats = spread * (density + scaled * ndtr(scaled))
    return found
