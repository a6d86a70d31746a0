"""What the loss of a model will be at the end of its training, from its architecture and from the rungs it has reached.

One Gaussian process over architectures and rungs. With t the share of the training that is done and x the architecture,

    loss(x, t) = rung(t) + end(x) + own + (t^-a - 1) * (fall(x) + own fall) + noise

so that the rungs of unfinished trainings say something of the end: of their own, and of that of similar architectures.
`rung` is what all have in common at a rung (a power law falls, and then a learning rate decays), `end` and `fall` vary
smoothly with the architecture, "own" is what only one training has: its seed, and what the features do not say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Kernel, Matern, WhiteKernel

from search.propose.front.kernels import Columns, Same

Floats = NDArray[np.float64]

EXPONENT = 0.4
"""a: the fall between rungs of a power law with this exponent, as curves of small language models have."""

PRIOR_SPREAD = 1.0
"""Standard deviation of the prior over each hyperparameter, in natural logarithms."""

MOST_STEPS = 20
"""Of the optimiser: more steps change the fit little, and the choice not at all."""

Objective = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True)
class Curve:
    """A training as far as it has come.

    Attributes:
        row: of its architecture in the matrix of features.
        shares: of the training, at which its loss is known.
        losses: there, nats.
    """

    row: int
    shares: tuple[float, ...]
    losses: tuple[float, ...]


class LossModel:
    """Foresees losses at the end of the training; fitted to what is known.

    Args:
        matrix: features between 0 and 1, (architectures, columns), of all that were started.
        curves: what is known of them.
    """

    def __init__(self, matrix: Floats, curves: Sequence[Curve]) -> None:
        self._matrix = matrix
        inputs = [_inputs(matrix[curve.row], curve.row, share) for curve in curves for share in curve.shares]
        losses = np.array([loss for curve in curves for loss in curve.losses])
        self._mean, self._scale = float(losses.mean()), float(max(losses.std(), 1e-6))
        self._process = GaussianProcessRegressor(_kernel(matrix.shape[1]), alpha=1e-8, optimizer=_most_probable)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a hyperparameter at its bound may stay there
            self._process.fit(np.array(inputs), (losses - self._mean) / self._scale)

    def ends(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the loss at the end, nats, of architectures that were not started."""
        return self._predict([_inputs(row, -1 - index, 1.0) for index, row in enumerate(matrix)])

    def ends_of_started(self, rows: Sequence[int]) -> tuple[Floats, Floats]:
        """The same for those that were."""
        return self._predict([_inputs(self._matrix[row], row, 1.0) for row in rows])

    def _predict(self, inputs: Sequence[Floats]) -> tuple[Floats, Floats]:
        mean, spread = self._process.predict(np.array(inputs), return_std=True)
        return mean * self._scale + self._mean, spread * self._scale


def _inputs(features: Floats, number: int, share: float) -> Floats:
    return np.concatenate([features, [number, share, share**-EXPONENT - 1]])


def _kernel(width: int) -> Kernel:
    architecture = Columns(Matern(1.5, (0.1, 30.0), nu=2.5), 0, width)
    trial, rung = Columns(Same(), width, width + 1), Columns(Same(), width + 1, width + 2)
    slope = Columns(DotProduct(sigma_0=0.0, sigma_0_bounds="fixed"), width + 2, width + 3)
    return (  # each part with its share of the variance of losses, and the bounds of that share
        ConstantKernel(1.0, (1e-2, 1e2)) * architecture
        + ConstantKernel(0.02, (1e-5, 1.0)) * trial
        + ConstantKernel(4.0, "fixed") * rung
        + ConstantKernel(0.3, (1e-4, 1e1)) * architecture * slope
        + ConstantKernel(0.01, (1e-6, 1.0)) * trial * slope
        + WhiteKernel(1e-3, (1e-6, 1e-1))
    )


def _most_probable(objective: Objective, start: Floats, bounds: Floats) -> tuple[Floats, float]:
    """Hyperparameters under a prior around their start: without one, a handful of losses would fit anything."""

    def penalised(theta: Floats) -> tuple[float, Floats]:
        value, gradient = objective(theta)
        away = (theta - start) / PRIOR_SPREAD
        return value + 0.5 * float(away @ away), gradient + away / PRIOR_SPREAD

    found = minimize(penalised, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    return found.x, found.fun
