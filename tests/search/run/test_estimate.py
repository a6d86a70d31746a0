"""From timed trials to a range: searches played through at random fall into it."""

from __future__ import annotations

import heapq
import random
from statistics import median

import pytest

from search.run.estimate import estimate_search

KINDS = [(3, 2), (22, 2), (40, 8), (12, 1)]


def play(generator: random.Random, times: list[float], trials: int, slots: int, *, bias: float, prunes: bool) -> float:
    """Seconds of a search: each trial to the slot that is free first; later ones of the faster or slower half."""
    free = [0.0] * slots
    for number in range(trials):
        pool = sorted(times)
        if number >= 10 and generator.random() < abs(bias):
            pool = pool[: len(pool) // 2] if bias < 0 else pool[len(pool) // 2 :]
        seconds = generator.choice(pool) + generator.uniform(0.1, 0.6)
        if prunes and number >= 8 + slots:
            seconds *= generator.uniform(0.5, 1)
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free) + generator.uniform(8, 20)


@pytest.mark.parametrize(("trials", "slots"), KINDS)
@pytest.mark.parametrize("bias", [-0.8, 0.0, 0.8])
def test_searches_played_through_fall_into_the_range(trials: int, slots: int, bias: float) -> None:
    generator = random.Random(trials)
    inside, widths = 0, []
    for _ in range(100):
        times = [generator.lognormvariate(2, 0.6) for _ in range(400)]
        sample = sorted(generator.sample(times, 60))[3::8]  # evenly from cheap to costly, as a plan chooses
        found = estimate_search(
            sample, trials=trials, slots=slots, random_trials=10, prunes=True, slot_start=2.0, proposals=0.2 * trials
        )
        low, high = found.seconds
        widths.append(high / low)
        inside += low <= play(generator, times, trials, slots, bias=bias, prunes=True) <= high
    assert inside >= (95 if bias == 0 else 85)
    assert min(widths) > 1 and median(widths) < 5


def test_without_a_pruner_the_range_is_narrower() -> None:
    def width(prunes: bool) -> float:
        found = estimate_search(
            [5.0, 6.0, 7.0, 8.0], trials=40, slots=2, random_trials=40, prunes=prunes, slot_start=2.0, proposals=0.0
        )
        assert found.prunes == prunes
        return found.seconds[1] / found.seconds[0]

    assert width(False) < 2.1 < width(True)


def test_one_trial_timed_is_enough() -> None:
    found = estimate_search([5.0], trials=1, slots=1, random_trials=1, prunes=True, slot_start=2.0, proposals=0.2)
    low, high = found.seconds
    assert found.startup[0] + 4 < low < high < found.startup[1] + 9 and not found.prunes
