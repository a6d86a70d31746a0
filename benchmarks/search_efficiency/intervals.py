"""Medians over seeds with 95 % intervals of a bootstrap, also where some replays never reach a share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NEVER = 1e12
"""Replaces infinity in a bootstrap: percentiles of infinite figures would be undefined."""
DRAWS = 5000


@dataclass(frozen=True)
class Interval:
    """A figure, and the ends of its interval; infinite where it is never reached."""

    middle: float
    low: float
    high: float


def median_of(values: Sequence[float]) -> Interval:
    """The median of a strategy's replays."""
    return _bootstrap([values], lambda drawn, axis=-1: np.median(drawn, axis=axis))


def ratio_of(values: Sequence[float], others: Sequence[float]) -> Interval:
    """The median of one strategy over that of another; infinite where the first never gets there."""

    def ratio(drawn: Any, others: Any, axis: int = -1) -> Any:
        return np.median(drawn, axis=axis) / np.median(others, axis=axis)

    if math.isinf(float(np.median(values))):
        return Interval(math.inf, math.inf, math.inf)
    return _bootstrap([values, others], ratio)


def _bootstrap(samples: Sequence[Sequence[float]], statistic: Callable[..., Any]) -> Interval:
    from scipy.stats import bootstrap

    finite = [np.minimum(np.asarray(values, dtype=float), NEVER) for values in samples]
    middle = float(statistic(*finite))
    if all(len(set(values.tolist())) == 1 for values in finite):
        return Interval(*map(_or_never, (middle, middle, middle)))
    # scipy wants two values of each; one that stands alone is drawn again and again
    drawn = tuple(values if len(values) > 1 else np.repeat(values, 2) for values in finite)
    found = bootstrap(
        drawn, statistic, n_resamples=DRAWS, vectorized=True, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return Interval(*map(_or_never, (middle, float(found.low), float(found.high))))


def _or_never(value: float) -> float:
    return math.inf if value > NEVER / 1e4 else value
