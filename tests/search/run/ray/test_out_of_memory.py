"""A trial that ran out of memory, as the coordinator tells it to the study and finds it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import Journalist, drive, open_in, reports_of, space_in

from search.ledger.folder import JOURNAL
from search.ledger.reading import read_records
from search.run.coordinator import Coordinator
from search.run.trials import MIN_EXCESS, RAN_OUT, Job
from search.show.terminal.display import trial_line
from search.space.space import Space

MIB = 2**20


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return space_in(tmp_path)


def _first_job(coordinator: Coordinator) -> Job:
    job = coordinator.next_job()
    assert job is not None
    return job


def _ran_out(job: Job, needed: int, after_rungs: int = 0) -> dict[str, Any]:
    curve = list(reports_of(job))[after_rungs - 1]["curve"] if after_rungs else []
    memory = {"memory_measured_bytes": needed, "memory_cap_bytes": 100 * MIB}
    return {"number": job.number, "state": "infeasible", "curve": curve, **memory}


def test_it_is_infeasible_by_what_was_measured(space: Space, tmp_path: Path) -> None:
    watcher = Journalist()
    coordinator = open_in(space, tmp_path / "out", watcher)
    job = _first_job(coordinator)
    assert not coordinator.report(job.number, _ran_out(job, 130 * MIB))
    record = read_records(tmp_path / "out")[job.number]
    assert record.state == "infeasible" and record.ran_out and record.memory_measured_bytes == 130 * MIB
    assert record.violation == "memory: ran out at 130 MiB or more, 100 MiB allowed"
    assert record.violation in trial_line(watcher.finals[-1])
    trial = coordinator._ledger.study.get_trials()[job.number]
    assert trial.state.name == "PRUNED" and trial.constraints[RAN_OUT] == pytest.approx(0.3)


def test_fragments_count_as_a_little_too_much(space: Space, tmp_path: Path) -> None:
    coordinator = open_in(space, tmp_path / "out")
    job = _first_job(coordinator)
    coordinator.report(job.number, _ran_out(job, 90 * MIB))
    assert coordinator._ledger.study.get_trials()[job.number].constraints[RAN_OUT] == MIN_EXCESS


@pytest.mark.parametrize("after_rungs", [0, 2])
def test_the_search_goes_on_and_opens_again_as_it_was(space: Space, tmp_path: Path, after_rungs: int) -> None:
    coordinator = open_in(space, tmp_path / "out", trials=12)
    job = _first_job(coordinator)
    coordinator.report(job.number, _ran_out(job, 130 * MIB, after_rungs))
    drive(coordinator)
    records = read_records(tmp_path / "out")
    assert sum(record.state in ("complete", "pruned") for record in records) == 12
    before = (tmp_path / "out" / JOURNAL).read_bytes()
    assert open_in(space, tmp_path / "out", trials=12).ended
    assert (tmp_path / "out" / JOURNAL).read_bytes() == before, "the mirror of the curves was made anew"


def test_the_same_candidate_is_not_tried_again(tmp_path: Path) -> None:
    overrides = ("search.sampler=random", "training.learning_rate=1e-2", "model.d_model=16", "limits.memory=2 GiB")
    space = space_in(tmp_path, *overrides)
    coordinator = open_in(space, tmp_path / "out", trials=4)
    first = _first_job(coordinator)
    coordinator.report(first.number, _ran_out(first, 130 * MIB))
    drive(open_in(space, tmp_path / "out", trials=30))
    twins = [record for record in read_records(tmp_path / "out") if record.twin == first.number]
    assert twins and all(record.state == "duplicate" and record.loss is None for record in twins)
    trials = coordinator._ledger.study.get_trials()
    assert all(trials[record.number].constraints[RAN_OUT] > 0 for record in twins)
