"""Memory that trials on one machine share: what has no room beside others waits, what never fits is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.made_up_search import drive, open_in, profile, reports_of, space_in

from msarch.machine import free_memory, gpu_count
from search.ledger.reading import read_records
from search.ledger.records import TRAINED
from search.run.coordinator import Coordinator
from search.run.room import WORKER_BYTES, room_of
from search.run.trials import Job


def test_a_trial_waits_until_it_fits_beside_the_others(tmp_path: Path) -> None:
    coordinator = open_in(space_in(tmp_path), tmp_path / "out")
    first = coordinator.next_job(patience=60)
    assert first is not None
    coordinator.set_room(50_000_000)
    running = [first, *take_all(coordinator)]
    assert sum(map(needs, running)) <= 50_000_000
    assert coordinator.next_job() is None and not coordinator.ended
    waiting = len(coordinator.records()) - 1
    while running and (job := coordinator.next_job()) is None:
        complete(coordinator, running.pop())
    assert job is not None and job.number == waiting


def test_a_search_with_little_room_ends_as_one_with_much(tmp_path: Path) -> None:
    states = []
    for name, room in (("much", 10**12), ("little", 21 * 2**20)):
        coordinator = open_in(space_in(tmp_path), tmp_path / name, trials=8)
        coordinator.set_room(room)
        drive(coordinator)
        states.append([(one.state, one.candidate) for one in read_records(tmp_path / name)])
    assert states[0] == states[1]


def test_what_never_fits_is_refused_and_says_so(tmp_path: Path) -> None:
    coordinator = open_in(space_in(tmp_path, "search.sampler=random"), tmp_path / "out", trials=6)
    coordinator.set_room(6_000_000)
    drive(coordinator)
    refused = [one for one in coordinator.records() if one.violation.startswith("free memory")]
    assert refused and all(one.state == "infeasible" and not one.curve for one in refused)
    assert refused[0].violation.endswith("> 5.72 MiB free on this machine")
    assert all(one.profile["memory_bytes"] <= 6_000_000 for one in coordinator.records() if one.curve)


def test_a_trial_that_has_begun_goes_on_though_there_is_less_room(tmp_path: Path) -> None:
    coordinator = open_in(space_in(tmp_path), tmp_path / "out")
    job = coordinator.next_job(patience=60)
    assert job is not None
    coordinator.report(job.number, next(iter(reports_of(job))))
    again = open_in(space_in(tmp_path), tmp_path / "out")
    again.set_room(1)
    assert again.next_job() == job


def test_processes_take_room_but_never_more_than_half() -> None:
    assert room_of(10 * 2**30, 2) == 10 * 2**30 - 2 * WORKER_BYTES
    assert room_of(2**30, 8) == 2**29


@pytest.mark.parametrize(("limit", "free"), [("max", 8_000 * 1024), ("5000000", 5_000_000 - 2_000_000 + 500_000)])
def test_free_memory_is_the_kernels_or_what_a_container_leaves(tmp_path: Path, limit: str, free: int) -> None:
    group = tmp_path / "sys/fs/cgroup/a"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text("2000000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    assert free_memory(tmp_path) == free


def test_a_system_that_does_not_say_has_no_figure(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None


def needs(job: Job) -> int:
    return int(profile(job.candidate)["memory_bytes"])


def take_all(coordinator: Coordinator) -> list[Job]:
    jobs = []
    while (job := coordinator.next_job()) is not None:
        jobs.append(job)
    return jobs


def complete(coordinator: Coordinator, job: Job) -> None:
    for report in reports_of(job):
        if not coordinator.report(job.number, report):
            return


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev")
def test_torch_is_asked_for_gpus_only_where_there_is_a_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    (tmp_path / "dev").mkdir()
    assert gpu_count(tmp_path) == 0
    (tmp_path / "dev" / "nvidiactl").touch()
    assert gpu_count(tmp_path) == 3


def test_refusals_of_a_smaller_machine_do_not_end_a_search_on_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.run.sampling.MAX_REJECTED", 8)
    options = ("search.sampler=random", "search.trials=3", "limits.memory=1 GiB")
    small = open_in(space_in(tmp_path, *options), tmp_path / "out")
    small.set_room(1)
    drive(small)
    assert small.ended and all(one.had_no_room for one in small.records())
    large = open_in(space_in(tmp_path, *options), tmp_path / "out")
    drive(large)
    assert sum(one.state in TRAINED for one in large.records()) == 3
