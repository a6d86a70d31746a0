"""Trials that fail one after another end a search, in one line, with all that was recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.made_up_search import open_in, reports_of, space_in

from search.ledger.reading import read_records
from search.run.coordinator import Coordinator
from search.run.failures import MAX_ALIKE, MAX_DIVERGED, FailingSearchError, Failures, kind_of


def fail_next(coordinator: Coordinator, error: str) -> None:
    job = coordinator.next_job(patience=60)
    assert job is not None
    coordinator.report(job.number, {"state": "failed", "curve": [], "error": error})


def lose_next(coordinator: Coordinator) -> None:
    job = coordinator.next_job(patience=60)
    assert job is not None
    coordinator.lost(job.number, "its process died, and died again")


def complete_next(coordinator: Coordinator) -> None:
    job = coordinator.next_job(patience=60)
    assert job is not None
    for report in reports_of(job):
        coordinator.report(job.number, report)


def test_five_failures_of_one_type_stop_the_search_and_are_recorded(tmp_path: Path) -> None:
    coordinator = open_in(space_in(tmp_path), tmp_path / "out")
    complete_next(coordinator)
    for index in range(MAX_ALIKE - 1):
        fail_next(coordinator, f"RuntimeError: no room for {index}")
    line = r"last 5 trials .* RuntimeError: no room for 9 .*trials/\d{4}/log.txt"
    with pytest.raises(FailingSearchError, match=line):
        fail_next(coordinator, "RuntimeError: no room for 9")
    states = [record.state for record in read_records(tmp_path / "out") if record.state != "infeasible"]
    assert states == ["complete", *["failed"] * MAX_ALIKE]


def test_a_search_that_stopped_so_is_continued_and_may_fail_again(tmp_path: Path) -> None:
    coordinator = open_in(space_in(tmp_path), tmp_path / "out")
    for _ in range(MAX_ALIKE - 1):
        fail_next(coordinator, "RuntimeError: no room")
    with pytest.raises(FailingSearchError):
        fail_next(coordinator, "RuntimeError: no room")
    again = open_in(space_in(tmp_path), tmp_path / "out")
    fail_next(again, "RuntimeError: no room")
    complete_next(again)


def test_a_lost_process_counts_as_well(tmp_path: Path) -> None:
    coordinator = open_in(space_in(tmp_path), tmp_path / "out")
    for _ in range(MAX_ALIKE - 1):
        lose_next(coordinator)
    with pytest.raises(FailingSearchError, match="its process died"):
        lose_next(coordinator)


def test_other_errors_and_trained_trials_begin_a_new_row() -> None:
    failures = Failures()
    for number in range(3 * MAX_ALIKE):
        failures.failed(number, "RuntimeError: one" if number % 2 else "ValueError: another")
    for number in range(MAX_ALIKE - 1):
        failures.failed(number, "KeyError: one")
    failures.trained()
    for number in range(MAX_ALIKE - 1):
        failures.failed(number, "KeyError: one")


def test_losses_that_are_not_finite_may_come_more_often() -> None:
    failures = Failures()
    for step in range(MAX_DIVERGED - 1):
        failures.failed(step, f"training loss is not finite at step {step}")
    with pytest.raises(FailingSearchError, match="last 20 trials"):
        failures.failed(99, "training loss is not finite at step 99")


def test_the_kind_of_an_error() -> None:
    assert kind_of("RuntimeError: size 3: wrong") == kind_of("RuntimeError: size 4") == "RuntimeError"
    assert kind_of("training loss is not finite at step 7") == kind_of("training loss is not finite at step 812")
