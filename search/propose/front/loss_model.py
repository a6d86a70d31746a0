"""What the loss of a model will be at the end of its training, from its architecture and from the rungs it has reached.

One Gaussian process over architectures and rungs. With t the share of the training that is done and x the architecture,

    loss(x, t) = rung(t) + lead(x, t) + own(t) + noise

so that the rungs of unfinished trainings say something of the end: of their own, and of that of similar architectures.
`rung` is what all have in common at a rung, `lead` is how far an architecture is from that, and "own" what only one
training has: its seed, and what the features do not say. `lead` is a sum of what each feature does by itself and of a
smooth function of all. How much the features of the training do, the learning rate above all, is learnt apart from how
much those of the architecture do: beside twenty figures of size the rate would otherwise hardly count. A lead at one
rung tells of the end only in part: leads are alike where rungs are near each other in log2 t, and `kernels.LASTS` says
how much of them lasts however far apart they are. That is fixed, since it cannot be learnt while only those that led
early were trained to their end. Slopes of single curves are not extrapolated: they do not foretell how far a curve
still falls (docs/experiments.md).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from threadpoolctl import ThreadpoolController

from search.propose.front.kernels import LossKernel

Floats = NDArray[np.float64]

PRIOR_SPREAD = 1.0
"""Standard deviation of the prior over each hyperparameter, in natural logarithms."""

LEAST_SPREAD = 0.02
"""Nats: models that differ by less are alike."""

MOST_STEPS = 20
"""Of the optimiser: more steps change the fit little, and the choice not at all."""

MOST_FITTED = 256
"""Losses that the hyperparameters are fitted to: the time of a step of the fit grows with their cube."""

MOST_LEARNT = 1024
"""Losses that are all learnt from, in about a second; of more, only the last of each training."""

THREADS = ThreadpoolController()
"""Of the libraries that are loaded by now, numpy's and scipy's among them: to look for these takes 6 ms."""

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
        training: how many of the first columns say how a model is trained; the others say what it is.
    """

    def __init__(self, matrix: Floats, curves: Sequence[Curve], training: int = 0) -> None:
        self._matrix = matrix
        self._mean, self._scale = _mean(curves), _spread_within_rungs(curves)
        few = _few(curves)
        self._process = GaussianProcessRegressor(
            LossKernel(training, matrix.shape[1]), alpha=1e-8, optimizer=_most_probable
        )
        self._learn(*self._observed(few))
        if len(few) < len(curves):
            self._process = GaussianProcessRegressor(self._process.kernel_, alpha=1e-8, optimizer=None)
            self._learn(*self._observed(_last_of_many(curves)))

    def _observed(self, curves: Sequence[Curve]) -> tuple[Floats, Floats]:
        rows = [(curve.row, share) for curve in curves for share in curve.shares]
        inputs = np.array([_inputs(self._matrix[row], row, share) for row, share in rows])
        losses = np.array([loss for curve in curves for loss in curve.losses])
        return inputs, (losses - self._mean) / self._scale

    def believe(self, rows: Sequence[int]) -> None:
        """Take it that these end as is expected of them: so less is left to learn from others that are like them."""
        if not rows:
            return
        expected = [_inputs(self._matrix[row], row, 1.0) for row in rows]
        inputs = np.concatenate([self._process.X_train_, expected])
        losses = np.concatenate([self._process.y_train_, self._standardised(expected)[0]])
        self._process = GaussianProcessRegressor(self._process.kernel_, alpha=1e-8, optimizer=None)
        self._learn(inputs, losses)

    def _learn(self, inputs: Floats, losses: Floats) -> None:
        with warnings.catch_warnings(), THREADS.limit(limits=1):  # every core has a trial to train
            warnings.simplefilter("ignore", ConvergenceWarning)  # a hyperparameter at its bound may stay there
            self._process.fit(inputs, losses)

    def ends(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the loss at the end, nats, of architectures that were not started."""
        return self._predict([_inputs(row, -1 - index, 1.0) for index, row in enumerate(matrix)])

    def ends_of_started(self, rows: Sequence[int]) -> tuple[Floats, Floats]:
        """The same for those that were."""
        return self._predict([_inputs(self._matrix[row], row, 1.0) for row in rows])

    def _predict(self, inputs: Sequence[Floats]) -> tuple[Floats, Floats]:
        mean, spread = self._standardised(inputs)
        return mean * self._scale + self._mean, spread * self._scale

    def _standardised(self, inputs: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Mean and standard deviation in the units that the process learns."""
        with THREADS.limit(limits=1):
            mean, spread = self._process.predict(np.array(inputs), return_std=True)
        return mean, spread


def _inputs(features: Floats, number: int, share: float) -> Floats:
    return np.concatenate([features, [number, share, np.log2(share)]])


def _few(curves: Sequence[Curve]) -> Sequence[Curve]:
    """All, or as many drawn at random as have `MOST_FITTED` losses."""
    counts = [len(curve.losses) for curve in curves]
    if sum(counts) <= MOST_FITTED:
        return curves
    order = np.random.default_rng(len(curves)).permutation(len(curves))
    enough = int(np.searchsorted(np.cumsum([counts[index] for index in order]), MOST_FITTED, side="right"))
    return [curves[index] for index in sorted(order[:enough].tolist())]


def _last_of_many(curves: Sequence[Curve]) -> Sequence[Curve]:
    """All; only the last loss of each where they have more than `MOST_LEARNT`: the others say little beside it."""
    if sum(len(curve.losses) for curve in curves) <= MOST_LEARNT:
        return curves
    return [Curve(curve.row, curve.shares[-1:], curve.losses[-1:]) for curve in curves]


def _mean(curves: Sequence[Curve]) -> float:
    return float(np.mean([loss for curve in curves for loss in curve.losses]))


def _spread_within_rungs(curves: Sequence[Curve]) -> float:
    """One standard deviation of the losses at a rung around their mean there, nats."""
    rungs: dict[float, list[float]] = {}
    for curve in curves:
        for share, loss in zip(curve.shares, curve.losses, strict=True):
            rungs.setdefault(share, []).append(loss)
    squares = sum(len(losses) * float(np.var(losses)) for losses in rungs.values())
    freedom = max(1, sum(map(len, rungs.values())) - len(rungs))
    return max(math.sqrt(squares / freedom), LEAST_SPREAD)


def _most_probable(objective: Objective, start: Floats, bounds: Floats) -> tuple[Floats, float]:
    """Hyperparameters under a prior around their start: without one, a handful of losses would fit anything."""

    def penalised(theta: Floats) -> tuple[float, Floats]:
        value, gradient = objective(theta)
        away = (theta - start) / PRIOR_SPREAD
        return value + 0.5 * float(away @ away), gradient + away / PRIOR_SPREAD

    found = minimize(penalised, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    return found.x, found.fun
