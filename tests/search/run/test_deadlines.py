"""When a trial counts as standing still, by a made-up clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import open_in, reports_of, space_in

from search.run.deadlines import LONGEST, SHORTEST, START, Deadlines
from search.run.ray.adapters import why_lost
from search.run.trials import Job

PROFILE = {"flops_per_token": 1e6}


class Clock:
    """A driver's clock: it looks at the deadlines twice a second."""

    def __init__(self, timeout: float | None = None) -> None:
        self.now = 0.0
        self.deadlines = Deadlines(timeout, lambda: self.now)

    def wait(self, seconds: float) -> list[int]:
        late = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.5)
            late += self.deadlines.overdue()
        return late

    def begin(self, job: Job) -> None:
        self.deadlines.started(job, PROFILE)
        self.deadlines.reported(job.number, {"ready": True, "curve": []}, True)

    def pass_rung(self, job: Job, rung: int, seconds: float) -> None:
        assert not self.wait(seconds)
        self.deadlines.reported(job.number, _report(job, rung), True)


def _report(job: Job, rung: int) -> dict[str, Any]:
    return list(reports_of(job))[rung]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = open_in(space_in(tmp_path), tmp_path / "out").next_job(patience=60)
    assert job is not None
    return job


def test_a_machine_that_must_encode_the_text_first_gets_the_time_for_it(job: Job) -> None:
    clock = Clock()
    clock.deadlines = Deadlines(None, lambda: clock.now, encodes=100_000_000)
    clock.deadlines.started(job, PROFILE)
    assert not clock.wait(START + 900) and clock.wait(101) == [job.number]


def test_ten_times_the_slowest_so_far_and_at_least_a_minute(job: Job) -> None:
    clock = Clock()
    clock.begin(job)
    clock.pass_rung(job, 0, 2)
    assert not clock.wait(SHORTEST) and clock.wait(1) == [job.number]
    clock.begin(job)
    clock.pass_rung(job, 0, 50)
    assert not clock.wait(400) and clock.wait(600) == [job.number]


def test_a_larger_candidate_gets_more_time(job: Job) -> None:
    clock, large = Clock(), replace(job, number=1)
    clock.begin(job)
    clock.pass_rung(job, 0, 50)
    clock.deadlines.started(large, {"flops_per_token": 2e7})
    clock.deadlines.reported(1, {"ready": True, "curve": []}, True)
    clock.deadlines.ended(job.number)
    assert not clock.wait(20 * 490) and clock.wait(20 * 30) == [1]


def test_before_any_speed_is_known_it_waits_long_but_not_for_ever(job: Job) -> None:
    clock, large = Clock(), replace(job, number=1)
    clock.begin(job)
    assert not clock.wait(SHORTEST) and clock.wait(5 * SHORTEST) == [job.number]
    clock.deadlines.ended(job.number)
    clock.deadlines.started(large, {"flops_per_token": 1e15})
    clock.deadlines.reported(1, {"ready": True, "curve": []}, True)
    assert not clock.wait(LONGEST) and clock.wait(1) == [1]


def test_a_process_that_never_starts_is_noticed_too(job: Job) -> None:
    clock = Clock()
    clock.deadlines.started(job, PROFILE)
    assert not clock.wait(START) and clock.wait(1) == [job.number]


def test_trial_timeout_takes_the_place_of_what_is_learnt(job: Job) -> None:
    clock = Clock(timeout=5)
    clock.begin(job)
    assert clock.wait(6) == [job.number]
    assert not clock.wait(START - 5)  # its new process has time to start
    assert clock.deadlines.hangs(job.number) == [5]


def test_a_driver_that_slept_blames_nobody(job: Job) -> None:
    clock = Clock(timeout=5)
    clock.begin(job)
    clock.now += 3600
    assert not clock.deadlines.overdue() and not clock.wait(3)
    assert clock.wait(2) == [job.number]


def test_a_trial_that_has_stopped_is_not_waited_for(job: Job) -> None:
    clock = Clock(timeout=5)
    clock.begin(job)
    clock.deadlines.reported(job.number, _report(job, 0), False)
    assert not clock.wait(100)


def test_every_rung_has_a_deadline(job: Job) -> None:
    clock = Clock()
    clock.begin(job)
    for rung in range(6):
        clock.pass_rung(job, rung, 10)


def test_what_is_told_of_a_trial_that_was_given_up() -> None:
    assert "hung 4 times: no sign of life for 5s" in why_lost([5, 5, 5, 5])
    assert "memory may have run out" in why_lost([])
