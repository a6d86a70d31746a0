"""What stops a search: an interrupt, a failure, or a time budget, which counts from the first training step."""

from __future__ import annotations

import pytest

from search.run.ray.stopping import StopSignal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, to be set."""
    now = [1000.0]
    monkeypatch.setattr("search.run.ray.stopping.time.monotonic", lambda: now[0])
    return now


def stops(signal: StopSignal) -> bool:
    """Asked anew each time."""
    return signal.is_set


def test_a_time_budget_counts_from_the_first_training_step(clock: list[float]) -> None:
    stop = StopSignal(time_budget=60)
    clock[0] += 500
    assert not stops(stop), "Ray starts, and the text is encoded"
    stop.start_clock()
    clock[0] += 59
    stop.start_clock()  # the first step of another trial
    assert not stops(stop)
    clock[0] += 1
    assert stops(stop) and stop.out_of_time and not stop.interrupted


def test_without_a_budget_no_time_is_too_long(clock: list[float]) -> None:
    stop = StopSignal()
    stop.start_clock()
    clock[0] += 1e9
    assert not stop.is_set


def test_an_interrupt_stops_at_once() -> None:
    stop = StopSignal()
    stop.interrupt()
    assert stop.is_set and not stop.out_of_time


def fail() -> int:
    raise KeyError("a defect")


def test_a_failure_is_kept_and_stops_what_would_follow() -> None:
    stop = StopSignal()
    assert stop.guard(lambda: 1, otherwise=0) == 1 and not stops(stop)
    assert stop.guard(fail, otherwise=0) == 0
    assert stops(stop) and isinstance(stop.failure, KeyError)
    assert stop.guard(lambda: 1, otherwise=0) == 0, "nothing is done any more"
