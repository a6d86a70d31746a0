"""Kendall's tau between a score and the loss over chosen pairs of models, and how sure it is.

    tau-b = sum w_ij sign(x_i - x_j) sign(y_i - y_j) / sqrt( sum w_ij [x_i != x_j]  sum w_ij [y_i != y_j] )

over pairs i < j, each with a weight w_ij: 1 for a pair that is looked at, 0 for another one. With all pairs it is
`scipy.stats.kendalltau`, which knows neither pairs nor weights. A bootstrap draws models with replacement: one that is
drawn c_i times gives its pairs the weight c_i c_j, and no model is a pair with itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pairs = NDArray[np.float64]
"""(n, n) symmetric weights of pairs of n models, 0 on the diagonal."""


def all_pairs(models: int) -> Pairs:
    """Every pair."""
    return np.ones((models, models)) - np.eye(models)


def alike(labels: Sequence[str]) -> Pairs:
    """The pairs with the same label."""
    names = np.array(labels)
    same: NDArray[np.bool_] = names[:, None] == names
    return same * all_pairs(len(names))


def near(sizes: ArrayLike, within: float) -> Pairs:
    """The pairs whose larger size is at most `within` above the smaller one: 0.1 for 10 %."""
    logs = np.log(np.asarray(sizes, dtype=float))
    close: NDArray[np.bool_] = np.abs(logs[:, None] - logs) <= math.log1p(within) + 1e-12
    return close * all_pairs(len(logs))


def tau_b(scores: ArrayLike, losses: ArrayLike, pairs: Pairs) -> float:
    """tau-b over weighted pairs; nan where all of them are tied. A score of nan is left out."""
    x, y = np.asarray(scores, dtype=float), np.asarray(losses, dtype=float)
    known = np.isfinite(x)
    x, weights = np.where(known, x, 0.0), pairs * np.outer(known, known)
    x_order, y_order = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    untied = (weights * np.abs(x_order)).sum() * (weights * np.abs(y_order)).sum()
    return float((weights * x_order * y_order).sum() / math.sqrt(untied)) if untied else math.nan


def mean_within(scores: ArrayLike, losses: ArrayLike, labels: Sequence[str], pairs: Pairs) -> float:
    """The mean of tau-b over the groups with the same label, each with the weight of its pairs."""
    x, y, names = np.asarray(scores, dtype=float), np.asarray(losses, dtype=float), np.array(labels)
    total = weight = 0.0
    for label in dict.fromkeys(labels):
        group = np.flatnonzero(names == label)
        inside = pairs[np.ix_(group, group)]
        found = tau_b(x[group], y[group], inside)
        if math.isfinite(found):
            total, weight = total + inside.sum() * found, weight + inside.sum()
    return float(total / weight) if weight else math.nan


def interval(measure: Callable[[Pairs], float], pairs: Pairs, draws: int) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles of `measure` over `draws` draws of the models; always the same draws."""
    generator = np.random.default_rng(0)
    models = len(pairs)
    found = []
    for _ in range(draws):
        counts = np.bincount(generator.integers(models, size=models), minlength=models)
        found.append(measure(pairs * np.outer(counts, counts)))
    finite = [tau for tau in found if math.isfinite(tau)]
    if not finite:
        return math.nan, math.nan
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
