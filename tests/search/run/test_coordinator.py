"""A search without Ray, driven by a plain loop over made-up losses: what is proposed, stopped, told and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import Journalist, drive, open_in, reports_of, space_in

from msarch.errors import UserError
from search.ledger.folder import JOURNAL, locked
from search.ledger.line_sums import sums_path
from search.ledger.reading import read_objectives, read_records
from search.ledger.records import TrialRecord
from search.propose.false_prunes import false_prunes
from search.run.trials import Job
from search.space.space import Space


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return space_in(tmp_path)


def test_a_search_counts_only_what_it_trains_and_keeps_the_cheap_end(space: Space, tmp_path: Path) -> None:
    watcher = Journalist()
    coordinator = open_in(space, tmp_path / "out", watcher)
    drive(coordinator)
    records = read_records(tmp_path / "out")
    states = [record.state for record in records]
    assert [record.number for record in records] == list(range(len(records)))
    assert sum(state in ("complete", "pruned") for state in states) == 24
    assert "pruned" in states and "infeasible" in states
    assert {record.number for record in watcher.finals} == {record.number for record in records}
    cheapest = min((r for r in records if r.state in ("complete", "pruned")), key=lambda r: r.profile["memory_bytes"])
    assert cheapest.state == "complete"
    for record in records:
        assert record.loss is not None if record.state == "complete" else record.state == "duplicate" or not record.loss
        assert bool(record.violation) == (record.state == "infeasible")
        assert not (record.state == "infeasible" and record.curve)
    assert read_objectives(tmp_path / "out") == ("perplexity", "memory")


def test_cut_anywhere_and_resumed_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    space = space_in(tmp_path, "search.trials=10")
    drive(open_in(space, tmp_path / "whole"))
    content = (tmp_path / "whole" / JOURNAL).read_bytes()
    sums = sums_path(tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    meant = [_comparable(record) for record in read_records(tmp_path / "whole")]
    assert {record[1] for record in meant} > {"complete"}
    for index, end in enumerate(range(200, len(content), len(content) // 9)):
        folder = tmp_path / f"cut{index}"
        folder.mkdir()
        (folder / JOURNAL).write_bytes(content[:end])
        sums_path(folder / JOURNAL).write_bytes(b"".join(sums[: content[:end].count(b"\n")]))
        drive(open_in(space, folder))
        assert [_comparable(record) for record in read_records(folder)] == meant, end


def _comparable(record: TrialRecord) -> tuple[Any, ...]:
    losses = tuple(point.loss for point in record.curve)
    return record.number, record.state, record.candidate.digest(), losses, record.twin, record.control_rung


def test_a_running_trial_goes_on_under_its_number_and_gets_the_old_answer(space: Space, tmp_path: Path) -> None:
    first = open_in(space, tmp_path / "out")
    job = first.next_job()
    assert job is not None
    for report in list(reports_of(job))[:3]:
        assert first.report(job.number, report)
    again = open_in(space, tmp_path / "out")
    resumed = again.next_job()
    assert resumed == job
    for report in reports_of(job, begin=2):
        again.report(job.number, report)
    record = read_records(tmp_path / "out")[0]
    assert record.state == "complete" and [point.rung for point in record.curve] == [0, 1, 2, 3, 4, 5]


def test_a_larger_number_extends_and_a_finished_search_trains_nothing(space: Space, tmp_path: Path) -> None:
    drive(open_in(space, tmp_path / "out", trials=5))
    assert open_in(space, tmp_path / "out", trials=5).ended
    watcher = Journalist()
    drive(open_in(space, tmp_path / "out", watcher, trials=8))
    assert sum(record.state in ("complete", "pruned") for record in watcher.finals) == 3


def test_a_budget_in_tokens_ends_a_search_that_prunes(space: Space, tmp_path: Path) -> None:
    drive(open_in(space, tmp_path / "out", tokens=105_000))
    spent = sum(record.curve[-1].tokens for record in read_records(tmp_path / "out") if record.curve)
    assert 85_000 < spent <= 105_000 + 6 * 256  # 20,000 each; a last step may read a little more
    assert open_in(space, tmp_path / "out", tokens=105_000).ended
    assert not open_in(space, tmp_path / "out", tokens=125_000).ended


def test_a_changed_space_is_refused_with_what_changed(space: Space, tmp_path: Path) -> None:
    open_in(space, tmp_path / "out")
    open_in(space_in(tmp_path, "search.trials=99"), tmp_path / "out")
    with pytest.raises(UserError, match=r"another space.*training\.batch_size: 8, now 16"):
        open_in(space_in(tmp_path, "training.batch_size=16"), tmp_path / "out")


def test_a_duplicate_of_a_running_trial_waits_and_takes_its_values(tmp_path: Path) -> None:
    space = space_in(
        tmp_path, "search.sampler=random", "training.learning_rate=1e-2", "model.d_model=16", "limits.memory=2 GiB"
    )
    coordinator = open_in(space, tmp_path / "out", trials=17)
    jobs: list[Job] = []
    while len(jobs) < 17:
        job = coordinator.next_job(patience=60)  # None only where a duplicate waits, however busy the machine
        if job is not None:
            jobs.append(job)
            continue
        for report in reports_of(jobs[-1]):  # a duplicate of some running one waits: end them all
            coordinator.report(jobs[-1].number, report)
        for other in jobs[:-1]:
            if {r.number: r for r in coordinator.records()}[other.number].state == "running":
                for report in reports_of(other):
                    coordinator.report(other.number, report)
    duplicates = [record for record in coordinator.records() if record.state == "duplicate"]
    by_number = {record.number: record for record in coordinator.records()}
    assert duplicates
    for record in duplicates:
        assert record.twin is not None and record.loss == by_number[record.twin].loss and not record.curve
        assert record.candidate == by_number[record.twin].candidate


def test_a_grid_ends_by_itself_and_stays_ended(tmp_path: Path) -> None:
    space = space_in(
        tmp_path, "search.sampler=grid", "training.learning_rate=1e-2", "model.d_model=16", "search.trials=100"
    )
    drive(open_in(space, tmp_path / "out"))
    records = read_records(tmp_path / "out")
    assert len({record.candidate.digest() for record in records}) == len(records) == space.combinations() == 18
    assert open_in(space, tmp_path / "out").ended


def test_a_grid_takes_a_range_of_one_number(tmp_path: Path) -> None:
    rate = "training.learning_rate={min: 1e-2, max: 1e-2, log: true}"
    space = space_in(tmp_path, "search.sampler=grid", rate, "model.d_model=16", "search.trials=100")
    coordinator = open_in(space, tmp_path / "out")
    drive(coordinator)
    assert len(coordinator.records()) == space.combinations() == 18


def test_a_limit_that_nothing_meets_ends_the_search_and_is_named(tmp_path: Path) -> None:
    space = space_in(tmp_path, "limits.memory=1 kB", "search.sampler=random")
    watcher = Journalist()
    coordinator = open_in(space, tmp_path / "out", watcher)
    drive(coordinator)
    assert len(watcher.finals) == 200 and {record.state for record in watcher.finals} == {"infeasible"}
    assert not watcher.messages
    with pytest.raises(
        UserError, match=r"^limits.memory: nothing was trained: the last 200 proposals .* limit is memory"
    ):
        coordinator.check_begun(space)


def test_a_constraint_that_nothing_meets_is_named_by_a_grid_too_which_has_fewer_proposals(tmp_path: Path) -> None:
    finite = ("search.sampler=grid", "training.learning_rate=1e-2", "model.d_model=16")
    space = space_in(tmp_path, *finite, "constraints=[n_layers <= 0, d_model <= 64]")
    coordinator = open_in(space, tmp_path / "out")
    drive(coordinator)
    with pytest.raises(
        UserError, match=r"constraints: nothing was trained: .* constraint 'n_layers <= 0' does not hold for 18"
    ):
        coordinator.check_begun(space)


def test_a_search_that_trained_something_and_then_finds_nothing_more_is_told_so(tmp_path: Path) -> None:
    constraints = "constraints=[n_layers <= 1, d_model <= 16, layers@4 <= 0]"
    space = space_in(tmp_path, "training.learning_rate=1e-2", "search.sampler=random", constraints)
    watcher = Journalist()
    coordinator = open_in(space, tmp_path / "out", watcher)
    drive(coordinator)
    coordinator.check_begun(space)
    assert "does not hold for" in watcher.messages[-1] and "loosen it" in watcher.messages[-1]


def test_a_failed_trial_is_told_and_counts(space: Space, tmp_path: Path) -> None:
    coordinator = open_in(space, tmp_path / "out")
    job = coordinator.next_job()
    assert job is not None
    assert not coordinator.report(job.number, {"state": "failed", "curve": [], "error": "loss is not finite at step 7"})
    record = read_records(tmp_path / "out")[job.number]
    assert (record.state, record.error) == ("failed", "loss is not finite at step 7")


def test_a_second_search_in_the_folder_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(UserError, match="another search is running in"), locked(tmp_path):
        pass


def test_a_folder_without_a_search_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no search"):
        read_records(tmp_path)


def test_controls_run_on_and_are_counted(tmp_path: Path) -> None:
    space = space_in(tmp_path, "search.seed=3")  # a seed whose sixty trials include several controls
    drive(open_in(space, tmp_path / "out", trials=60))
    records = read_records(tmp_path / "out")
    controls = [record for record in records if record.control_rung is not None]
    assert controls and all(record.state == "complete" for record in controls)
    wrong, ended = false_prunes(records, space.objectives)
    assert ended == len(controls) and wrong <= ended


@pytest.mark.parametrize("pruner", ["median", "successive-halving", "hyperband", "none"])
def test_optunas_pruners_judge_the_mirror(tmp_path: Path, pruner: str) -> None:
    space = space_in(tmp_path, f"search.pruner={pruner}", "search.trials=16", "search.sampler=nsga2")
    drive(open_in(space, tmp_path / "out"))
    states = {record.state for record in read_records(tmp_path / "out")}
    assert ("pruned" in states) == (pruner != "none")
