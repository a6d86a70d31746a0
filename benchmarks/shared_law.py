"""Power laws fitted to the curves of many models together, so that each borrows from the others what it cannot show.

A model's losses at a constant learning rate follow L(D) = E + A D^-a. A few noisy rungs do not tell three numbers:
fitted alone, a curve that wiggles is foretold to fall for ever. Here the exponent a is the same for all models, and
each model's own numbers are drawn from a normal distribution over models, whose mean and covariance are found from
all curves (a linear mixed model, fitted by expectation and maximisation):

    loss = level + slope ((D / unit)^-a - 1) - gain [after a decay] + noise,  (level, slope, gain) ~ N(mean, covariance)

`unit` is the last rung at the constant rate, so that `level` is about the loss there. A decay lowers the loss at once,
by a gain of each model's own. A curve without a decay is foretold without one. The noise has a variance that falls
with the tokens as D^-p. What is foretold is the mean over exponents a and powers p, weighted by the likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXPONENTS = np.geomspace(0.1, 1.5, 28)
NOISE_POWERS = (0.0, 1.0, 2.0)
ITERATIONS = 60
LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Curve:
    """What is known of one model.

    Attributes:
        tokens, losses: validations, (n,).
        decayed: whether each stands at the end of a decay, (n,) of bool; at the others the rate was constant.
    """

    tokens: Floats
    losses: Floats
    decayed: NDArray[np.bool_]

    @property
    def constant(self) -> tuple[Floats, Floats]:
        """Tokens and losses at the constant rate."""
        return self.tokens[~self.decayed], self.losses[~self.decayed]


@dataclass(frozen=True, eq=False)
class Fit:
    """The models' numbers under one exponent and one noise: (models, 2 or 3), and their likelihood."""

    coefficients: Floats
    log_likelihood: float


def foretell(curves: Sequence[Curve], tokens: float) -> Floats:
    """The loss of each model at `tokens`, (models,), with a decay where the curves have one."""
    gains = any(curve.decayed.any() for curve in curves)
    unit = max(float(curve.constant[0].max()) for curve in curves)
    likelihoods, losses = [], []
    for exponent in EXPONENTS:
        at = _row(np.array([tokens]), np.array([True]), unit, exponent, gains)[0]
        for power in NOISE_POWERS:
            found = fit(curves, unit, exponent, power)
            likelihoods.append(found.log_likelihood)
            losses.append(found.coefficients @ at)
    weights = np.exp(np.array(likelihoods) - max(likelihoods))
    out: Floats = weights @ np.array(losses) / weights.sum()
    return out


def fit(curves: Sequence[Curve], unit: float, exponent: float, power: float) -> Fit:
    """The most likely numbers of all models, (level, slope) or (level, slope, gain), given exponent and noise."""
    gains = any(curve.decayed.any() for curve in curves)
    known = _Sums.of(curves, unit, exponent, power, gains)
    mean = np.linalg.lstsq(known.squares.sum(0), known.products.sum(0), rcond=None)[0]
    covariance = np.eye(len(mean)) * known.spread
    noise = known.spread / 10
    for _ in range(ITERATIONS):
        posterior, coefficients = known.posterior(mean, covariance, noise)
        mean = coefficients.mean(0)
        apart = coefficients - mean
        covariance = (posterior.sum(0) + apart.T @ apart) / len(curves) + LEAST_VARIANCE * np.eye(len(mean))
        noise = max(known.residual(posterior, coefficients) / known.points, LEAST_VARIANCE)
    return Fit(
        known.posterior(mean, covariance, noise)[1],
        known.log_likelihood(mean, covariance, noise),
    )


@dataclass(frozen=True, eq=False)
class _Sums:
    """What the fit needs of the curves: sums over each model's points, weighted by how little noise they have.

    Attributes:
        squares, products, losses: X'WX (models, k, k), X'Wy (models, k) and y'Wy (models,).
        points: of all curves.
        log_weights: sum of the logarithms of the weights.
        spread: variance of all losses, where the fit starts.
    """

    squares: Floats
    products: Floats
    losses: Floats
    points: int
    log_weights: float
    spread: float

    @classmethod
    def of(cls, curves: Sequence[Curve], unit: float, exponent: float, power: float, gains: bool) -> _Sums:
        rows = [_row(curve.tokens, curve.decayed, unit, exponent, gains) for curve in curves]
        weights = [(curve.tokens / unit) ** power for curve in curves]
        weighted = [row * weight[:, None] for row, weight in zip(rows, weights, strict=True)]
        pairs = list(zip(weighted, curves, strict=True))
        every = np.concatenate([curve.losses for curve in curves])
        return cls(
            squares=np.array([w.T @ row for w, row in zip(weighted, rows, strict=True)]),
            products=np.array([w.T @ curve.losses for w, curve in pairs]),
            losses=np.array([w @ c.losses**2 for w, c in zip(weights, curves, strict=True)]),
            points=len(every),
            log_weights=float(sum(np.log(weight).sum() for weight in weights)),
            spread=float(every.var()) + LEAST_VARIANCE,
        )

    def posterior(self, mean: Floats, covariance: Floats, noise: float) -> tuple[Floats, Floats]:
        """Covariances (models, k, k) and means (models, k) of the models' numbers."""
        precision = np.linalg.inv(covariance)
        covariances = np.linalg.inv(self.squares / noise + precision)
        means: Floats = np.einsum("nij,nj->ni", covariances, self.products / noise + precision @ mean)
        return covariances, means

    def residual(self, posterior: Floats, coefficients: Floats) -> float:
        """Expected weighted squares of what is left."""
        fitted = np.einsum("ni,nij,nj->n", coefficients, self.squares, coefficients)
        unsure = np.einsum("nij,nji->n", posterior, self.squares)
        return float((self.losses - 2 * (coefficients * self.products).sum(1) + fitted + unsure).sum())

    def log_likelihood(self, mean: Floats, covariance: Floats, noise: float) -> float:
        """Of all curves, the models' numbers integrated out; without what is the same for every fit."""
        posterior, _ = self.posterior(mean, covariance, noise)
        off = self.products - self.squares @ mean
        squares = self.losses - 2 * self.products @ mean + np.einsum("i,nij,j->n", mean, self.squares, mean)
        quadratic = squares / noise - np.einsum("ni,nij,nj->n", off, posterior, off) / noise**2
        models = len(self.losses)
        volume = models * np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(posterior)[1].sum()
        return float(-0.5 * (quadratic.sum() + self.points * np.log(noise) + volume - self.log_weights))


def _row(tokens: Floats, decayed: NDArray[np.bool_], unit: float, exponent: float, gains: bool) -> Floats:
    """(n,) -> (n, 2), or (n, 3) where some curve has a decay."""
    columns = [np.ones_like(tokens, dtype=float), (tokens / unit) ** -exponent - 1]
    return np.stack([*columns, -decayed.astype(float)] if gains else columns, axis=1)
