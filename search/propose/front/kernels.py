"""Kernels of the loss model: how alike two losses are, from architectures, trainings and rungs.

scikit-learn can compose such kernels from its own, but asks each part for its parameters again at every step of a fit,
and measures all distances anew. Here what no parameter changes is computed once for a matrix.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.gaussian_process.kernels import Kernel

Floats = NDArray[np.float64]

LASTS = 0.3
"""The share of the variance of leads that is the same at all rungs."""

DOUBLINGS = 2.0
"""The length, in doublings of the tokens, over which the rest of it is alike."""

RUNGS = 100.0
"""Variance of what all have in common at a rung: large, so that it may be anything."""


class _Alike(NamedTuple):
    """What no parameter changes of a kernel between two matrices.

    Attributes:
        apart: distances over all features.
        sums: for each group of features, how alike they are each by itself; then 1 where the training is the same.
    """

    apart: Floats
    sums: list[Floats]


class LeadKernel(Kernel):  # type: ignore[misc]  # scikit-learn has no types
    """Of a lead: what features do together, what each does by itself, and what only one training has.

    Rows are features between 0 and 1, and after them the number of the training, which has the same features in all of
    its rows. What features do together is a Matern kernel (nu = 5/2) of their distance. What each does by itself is the
    mean over columns of such kernels of length 1: what one option does whatever the others are is so learnt from a
    handful of models, where a kernel of the distance between whole architectures needs models that are near each other.
    The features of the training have one variance, those of the architecture another.

    Args:
        training: how many of the features say how a model is trained; these come first.
        width: how many features.
        theta: natural logarithms of the parameters, by default where a fit starts: variance and length of what
            features do together, the variance of each group by itself, and that of what one training has.
    """

    def __init__(self, training: int, width: int, theta: Floats | None = None) -> None:
        self.training, self.width = training, width
        self._theta = np.log([start for start, _, _ in self._parameters()]) if theta is None else theta
        self._known: tuple[Floats, _Alike] | None = None

    def _parameters(self) -> list[tuple[float, float, float]]:
        """Start and bounds of each."""
        groups = [(4.0 / len(self._groups), 1e-2, 1e2) for _ in self._groups]
        return [(1.0, 1e-2, 1e2), (1.5, 0.1, 30.0), *groups, (0.03, 1e-4, 1.0)]

    @property
    def _groups(self) -> list[slice]:
        return [slice(*edges) for edges in ((0, self.training), (self.training, self.width)) if edges[1] > edges[0]]

    @property
    def theta(self) -> Floats:
        return self._theta

    @theta.setter
    def theta(self, theta: Floats) -> None:
        self._theta = theta

    @property
    def bounds(self) -> Floats:
        found: Floats = np.log([bounds for _, *bounds in self._parameters()])
        return found

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:
        found, gradients = self._with_gradients(X, Y)
        return (found, np.stack(gradients, axis=-1)) if eval_gradient else found

    def _with_gradients(self, X: Floats, Y: Floats | None) -> tuple[Floats, list[Floats]]:
        """The kernel, and its derivative by each element of theta."""
        apart, sums = self._alike(X, Y)
        together, length, *variances = np.exp(self._theta)
        away = np.sqrt(5) / length * apart
        fall = together * np.exp(-away)
        smooth, by_length = fall * (1 + away + away**2 / 3), fall * (1 + away) * away**2 / 3
        others = [variance * each for variance, each in zip(variances[: len(sums)], sums, strict=True)]
        return smooth + sum(others), [smooth, by_length, *others]

    def _alike(self, X: Floats, Y: Floats | None) -> _Alike:
        """Computed once for the matrix of a fit."""
        if Y is not None:
            return self._measured(X, Y)
        if self._known is None or self._known[0] is not X:
            self._known = X, self._measured(X, X)
        return self._known[1]

    def _measured(self, X: Floats, Y: Floats) -> _Alike:
        """Between trainings first: each has a row for every rung, and they differ in nothing that counts here."""
        (of_x, rows), (of_y, columns) = self._trainings(X), self._trainings(Y)
        apart = cdist(of_x, of_y)
        sums = [_by_itself(of_x[:, group], of_y[:, group]) for group in self._groups]
        spread = np.ix_(rows, columns)
        return _Alike(apart[spread], [*(each[spread] for each in sums), _same(X, Y, self.width)])

    def _trainings(self, X: Floats) -> tuple[Floats, NDArray[np.intp]]:
        """The features of each training, and which of them a row has."""
        _, first, rows = np.unique(X[:, self.width], return_index=True, return_inverse=True)
        return X[first, : self.width], rows

    def diag(self, X: Floats) -> Floats:
        together, _, *variances = np.exp(self._theta)
        return np.full(len(X), together + sum(variances[: len(self._groups) + 1]))

    def is_stationary(self) -> bool:
        return True


class LossKernel(LeadKernel):
    """Of losses at rungs: leads that last in part, what all have in common at a rung, and noise.

    After the number of the training each row has the share of it that is done, and the binary logarithm of that. Theta
    has the variance of the noise at its end.
    """

    def _parameters(self) -> list[tuple[float, float, float]]:
        return [*super()._parameters(), (1e-2, 1e-6, 1e-1)]

    def _with_gradients(self, X: Floats, Y: Floats | None) -> tuple[Floats, list[Floats]]:
        lead, gradients = super()._with_gradients(X, Y)
        other = X if Y is None else Y
        lasts = self._lasting(X, other)
        noise = np.exp(self._theta[-1]) * (np.eye(len(X)) if Y is None else np.zeros((len(X), len(other))))
        found = lead * lasts + RUNGS * _same(X, other, self.width + 1) + noise
        return found, [*(each * lasts for each in gradients), noise]

    def _lasting(self, X: Floats, Y: Floats) -> Floats:
        """How alike the leads of a training are at two rungs: a Matern kernel (nu = 3/2) over doublings."""
        away = np.sqrt(3) / DOUBLINGS * np.abs(np.subtract.outer(X[:, self.width + 2], Y[:, self.width + 2]))
        found: Floats = LASTS + (1 - LASTS) * (1 + away) * np.exp(-away)
        return found

    def diag(self, X: Floats) -> Floats:
        found: Floats = super().diag(X) + RUNGS + np.exp(self._theta[-1])
        return found


def _by_itself(X: Floats, Y: Floats) -> Floats:
    """The mean over columns of a Matern kernel (nu = 5/2) of length 1 in each: functions that are sums over columns."""
    found = np.zeros((len(X), len(Y)))
    for one, other in zip(X.T, Y.T, strict=True):
        away = np.sqrt(5) * np.abs(np.subtract.outer(one, other))
        found += (1 + away + away**2 / 3) * np.exp(-away)
    found /= X.shape[1]
    return found


def _same(X: Floats, Y: Floats, column: int) -> Floats:
    """1 where two rows have the same number in a column, else 0."""
    found: Floats = np.equal.outer(X[:, column], Y[:, column]).astype(float)
    return found
