"""From a few trials that were timed to a range of seconds for a whole search.

The lower end supposes all that may make a search shorter than its sample foretells, the upper end all that may make
it longer:

* The sampler draws its first trials at random; later ones may all be of the faster half, or of the slower half.
* A pruner may halve the trials that follow the first ones, or stop none.
* At the end one slot may train the slowest candidate while the others have nothing left to do.
* Proposals are profiled while trials train; on cores that are all busy that takes time from them.
* The machine may be somewhat less or more busy than during the measurement.
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
    """What a search takes, from least to most.

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
) -> Estimate:
    """The range for a search.

    Args:
        times: seconds of whole trials, a sample of the candidates that the limits admit.
        trials: to be trained, `slots` at a time, the first `random_trials` drawn as the sample was.
        prunes: whether a pruner is at work.
        slot_start: seconds that a worker takes to start.
        proposals: seconds of profiling, for all proposals.
    """
    low, high = _training(times, min(trials, random_trials), trials)
    if prunes and trials > UNPRUNED + slots:
        low *= (UNPRUNED + slots + PRUNED * (trials - UNPRUNED - slots)) / trials
    tail = max(times) * (1 - 1 / slots)
    startup = FIXED[0] + STARTS[0] * slot_start, FIXED[1] + STARTS[1] * slot_start
    least = BUSIER[0] * low / slots + PER_TRIAL[0] * trials / slots
    most = BUSIER[1] * (high / slots + tail + proposals) + PER_TRIAL[1] * trials / slots
    return Estimate(
        seconds=(startup[0] + least, startup[1] + most),
        startup=startup,
        trial=(min(times), max(times)),
        prunes=prunes and trials > UNPRUNED + slots,
    )


def _training(times: Sequence[float], at_random: int, trials: int) -> Range:
    """Seconds of all trials one after another: random ones, then others of the sample's faster or slower half."""
    ordered, half = sorted(times), max(1, len(times) // 2)
    fast, slow, learnt = mean(ordered[:half]), mean(ordered[-half:]), trials - at_random
    # The sum of new draws about a mean that is itself an estimate.
    spread = stdev(times) if len(times) > 1 else 0.0
    error = SIGMA * spread * math.sqrt(at_random * (1 + at_random / len(times)))
    low = max(at_random * mean(times) - error, at_random * ordered[0])
    high = min(at_random * mean(times) + error, at_random * ordered[-1])
    return low + learnt * fast, high + learnt * slow
