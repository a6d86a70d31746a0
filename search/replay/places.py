"""Where the models of a table lie in their space: which one a proposal means, and which is nearest to it.

A proposal means a model where both agree in every discrete parameter (categories, whole numbers, fractions with a
step). Of several such models, which differ in continuous parameters alone, it means the nearest one. Distances are
Euclidean in the space that samplers draw from: each range from 0 to 1, logarithmic where it is drawn so. Two
categories are 1 apart, and so is a parameter that only one of the two has.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from search.replay.table import TableModel

BRANCH = "variant"
"""The parameter that says which branch of the space holds."""


class Places:
    """The models of a table by their parameters.

    Models are named by their index in `models`.
    """

    def __init__(self, models: Sequence[TableModel]) -> None:
        self._distributions = {name: dist for model in models for name, dist in model.distributions.items()}
        self._columns = {name: column for column, name in enumerate(self._distributions)}
        self._categories = np.array([_is_category(dist) for dist in self._distributions.values()], dtype=bool)
        self._points = np.array([self._point(model.params) for model in models])
        self.branches = [model.params.get(BRANCH) for model in models]
        self._cells: dict[frozenset[tuple[str, Any]], list[int]] = defaultdict(list)
        for index, model in enumerate(models):
            self._cells[self._cell(model.params)].append(index)

    def meant(self, params: Mapping[str, Any]) -> int | None:
        """The model that a proposal means, or None where there is none in the table."""
        return self.nearest(params, self._cells.get(self._cell(params), ()))

    def nearest(self, params: Mapping[str, Any], among: Collection[int]) -> int | None:
        """The model nearest to a proposal, of equally near ones the first; None among none."""
        if len(among) < 2:
            return next(iter(among), None)
        indices = sorted(among)
        points, point = self._points[indices], self._point(params)
        absent = np.isnan(points) != np.isnan(point)
        apart = np.where(self._categories, points != point, np.square(points - point))
        distances = np.where(absent, 1.0, np.nan_to_num(apart) * ~np.isnan(points)).sum(axis=1)
        return indices[int(distances.argmin())]

    def _point(self, params: Mapping[str, Any]) -> np.ndarray:
        """One coordinate a parameter; NaN where it is absent."""
        point = np.full(len(self._columns), np.nan)
        for name in params.keys() & self._columns.keys():
            point[self._columns[name]] = _coordinate(self._distributions[name], params[name])
        return point

    def _cell(self, params: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
        """What is discrete of a proposal, and which parameters it has."""
        return frozenset((name, self._discrete(name, value)) for name, value in params.items())

    def _discrete(self, name: str, value: Any) -> Any:
        from optuna.distributions import FloatDistribution

        dist = self._distributions.get(name)
        if not isinstance(dist, FloatDistribution):
            return value
        return None if dist.step is None else round((value - dist.low) / dist.step)


def _is_category(dist: BaseDistribution) -> bool:
    from optuna.distributions import CategoricalDistribution

    return isinstance(dist, CategoricalDistribution)


def _coordinate(dist: Any, value: Any) -> float:
    """A value on the axis from which it is drawn: 0 to 1, or the index of a category."""
    if _is_category(dist):
        return float(dist.to_internal_repr(value))
    scale = math.log if dist.log else float
    low, high = scale(dist.low), scale(dist.high)
    return (scale(value) - low) / (high - low) if high > low else 0.0
