"""From a few trials that were timed to a range of seconds for a whole search.

What can make a search shorter or longer than its sample suggests:

* The sampler draws its first trials at random; later ones may be of the faster half, or of the slower half.
* A pruner may halve the trials that follow the first ones, or stop none.
* The machine may be somewhat less or more busy than during the measurement.
* At the end one slot may train the slowest candidate while the others have nothing left to do.
* Proposals are profiled while trials train; on cores that are all busy that takes time from them.

All of this hardly ever happens at once, so the factors are combined like independent errors: the root of the
sum of the squares of their logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

Range = tuple[float, float]

UNPRUNED = 8
"""Trials that no pruner stops."""
PRUNED = 0.5
"""Of a later trial's time, at the lower end: what pruners with rungs from 1/32 on have saved at best, about."""
BUSIER: Range = (0.85, 1.35)
"""The machine during the search against the machine while it was measured."""
PER_TRIAL: Range = (0.1, 0.6)
"""Seconds that Ray and the ledger take for a trial and its six reports."""
FIXED: Range = (3.0, 12.0)
"""Seconds for the start of Ray, its end, the tables and the report, whatever the machine."""
STARTS: Range = (1.5, 5.0)
"""The rest of start-up, in starts of a slot: the search's own imports, Ray's, and those of its workers."""
SIGMA = 1.64
"""Standard errors to either side of a sum of random trials: 90 % of a normal distribution."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """How long a search takes, as ranges (low, high).

    Attributes:
        seconds: of the whole search.
        startup: seconds of these before the first training step and after the last.
        trial: seconds of the fastest and of the slowest trial timed, whole and unpruned.
        prunes: whether a pruner may make the search shorter.
    """

    seconds: Range
    startup: Range
    trial: Range
    prunes: bool


def estimate_search(
    times: Sequence[float],
    *,
    trials: int,
    slots: int,
    random_trials: int,
    prunes: bool,
    slot_start: float,
    proposals: float,
    restarts: float = 0.0,
) -> Estimate:
    """The range for a search.

    Args:
        times: seconds of whole trials, a sample of the candidates that the limits admit.
        trials: to be trained, `slots` at a time, the first `random_trials` drawn as the sample was.
        prunes: whether a pruner is at work.
        slot_start: seconds that a worker takes to start.
        proposals: seconds of profiling, for all proposals.
        restarts: seconds in which models of paused trials are built, at most.
    """
    at_random = min(trials, random_trials)
    prunes = prunes and trials > UNPRUNED + slots
    expected = mean(times) * trials
    shorter = [_drawn(times, at_random, trials, faster=True), *_chance(times, at_random, expected), BUSIER[0]]
    longer = [_drawn(times, at_random, trials, faster=False), *_chance(times, at_random, expected), BUSIER[1]]
    if prunes:
        shorter.append((UNPRUNED + slots + PRUNED * (trials - UNPRUNED - slots)) / trials)
    longer.append(1 + max(times) * (slots - 1) / expected)  # the last trial, alone
    startup = FIXED[0] + STARTS[0] * slot_start, FIXED[1] + STARTS[1] * slot_start
    least = (expected + PER_TRIAL[0] * trials) / slots / _combined(shorter)
    most = ((expected + restarts) / slots + proposals) * _combined(longer) + PER_TRIAL[1] * trials / slots
    return Estimate(
        seconds=(startup[0] + least, startup[1] + most),
        startup=startup,
        trial=(min(times), max(times)),
        prunes=prunes,
    )


def _drawn(times: Sequence[float], at_random: int, trials: int, *, faster: bool) -> float:
    """By what factor trials are shorter or longer if the sampler prefers the faster or the slower half."""
    ordered, half = sorted(times, reverse=not faster), max(1, len(times) // 2)
    share = at_random / trials
    return share + (1 - share) * mean(ordered[:half]) / mean(times)


def _chance(times: Sequence[float], at_random: int, expected: float) -> list[float]:
    """By what factor random trials differ from the sample by chance: their sum, and the sample's mean."""
    if len(times) < 2:
        return []
    error = SIGMA * stdev(times) * math.sqrt(at_random * (1 + at_random / len(times)))
    return [1 + error / expected]


def _combined(factors: Sequence[float]) -> float:
    """One factor, at least 1, for several independent ones."""
    return math.exp(math.sqrt(sum(math.log(factor) ** 2 for factor in factors)))
