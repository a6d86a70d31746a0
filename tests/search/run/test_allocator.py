"""Trials that are paused and resumed: the budget is kept, and a kill at any moment loses nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import Journalist, open_in
from support.paused_search import LowestLoss, Workers, front_space, tokens_trained

from msarch.errors import UserError
from search.ledger.folder import JOURNAL, trial_folder
from search.ledger.line_sums import sums_path
from search.ledger.reading import read_ledger, read_records
from search.ledger.records import TrialRecord
from search.results.table_files import write_tables
from search.results.tables import read_trials
from search.run.checkpoints import Checkpoints
from search.space.space import Space


@pytest.fixture
def _lowest_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.propose.front.strategy.FrontStrategy", LowestLoss)


by_lowest_loss = pytest.mark.usefixtures("_lowest_loss")


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return front_space(tmp_path, "search.tokens=70k")


def by_number(folder: Path) -> dict[int, TrialRecord]:
    return {record.number: record for record in read_records(folder)}


def comparable(record: TrialRecord) -> tuple[Any, ...]:
    losses = tuple(point.loss for point in record.curve)
    return record.number, record.state, record.paused, record.candidate.digest(), losses


@by_lowest_loss
def test_trials_pause_after_an_eighth_and_the_best_are_resumed(space: Space, tmp_path: Path) -> None:
    watcher, workers = Journalist(), Workers()
    workers.run(open_in(space, tmp_path / "out", watcher))
    records = by_number(tmp_path / "out")
    complete = [record for record in records.values() if record.state == "complete"]
    paused = [record for record in records.values() if record.paused]
    assert len(complete) >= 2 and len(paused) >= 2 and len(complete) + len(paused) == len(records)
    assert all(len(record.curve) >= 3 for record in records.values())  # 1/32, 1/16, 1/8: until there no decision
    assert workers.pieces[:5] == [(number, 0) for number in range(5)]
    assert any(first > 0 for _, first in workers.pieces)
    assert min(records.values(), key=lambda record: record.curve[2].loss).state == "complete"
    assert [number for number, _ in watcher.pauses[:4]] == [0, 1, 2, 3]
    assert {record.number for record in watcher.finals} == {record.number for record in complete}


@by_lowest_loss
def test_no_rung_is_trained_twice_and_none_is_left_out(space: Space, tmp_path: Path) -> None:
    workers = Workers()
    workers.run(open_in(space, tmp_path / "out"))
    assert len(set(workers.trained)) == len(workers.trained)
    curves = {number: len(record.curve) for number, record in by_number(tmp_path / "out").items()}
    assert set(workers.trained) == {(number, rung) for number, length in curves.items() for rung in range(length)}


@by_lowest_loss
@pytest.mark.parametrize("concurrent", [1, 2, 4])
def test_a_budget_in_tokens_is_kept_and_used(tmp_path: Path, concurrent: int) -> None:
    workers = Workers(concurrent)
    workers.run(open_in(front_space(tmp_path, "search.trials=6"), tmp_path / "out"))
    records = read_records(tmp_path / "out")
    rounding = 256 * len(records)  # a whole training reads up to a step more than its budget says
    assert 6 * 20_000 * 0.8 < tokens_trained(records) <= 6 * 20_000 + rounding
    assert workers.most_at_once == concurrent
    assert not [record for record in records if record.state == "running"]


@by_lowest_loss
def test_a_larger_budget_resumes_what_was_paused_under_its_number(space: Space, tmp_path: Path) -> None:
    workers = Workers()
    workers.run(open_in(space, tmp_path / "out"))
    before = by_number(tmp_path / "out")
    assert open_in(space, tmp_path / "out").ended
    workers.run(open_in(space, tmp_path / "out", tokens=200_000))
    after = by_number(tmp_path / "out")
    assert [number for number, record in before.items() if record.paused and after[number].state == "complete"]
    for number, record in before.items():
        assert after[number].curve[: len(record.curve)] == record.curve
    assert len(set(workers.trained)) == len(workers.trained)


@by_lowest_loss
@pytest.mark.faults("the driver is killed after any line of the journal", end="the same choices as undisturbed")
def test_killed_after_any_line_of_the_journal_it_ends_as_if_it_had_not_been(space: Space, tmp_path: Path) -> None:
    whole = Workers()
    whole.run(open_in(space, tmp_path / "whole"))
    meant = [comparable(record) for record in read_records(tmp_path / "whole")]
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    sums = sums_path(tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    for end in range(1, len(lines)):
        folder = tmp_path / "cut"
        folder.mkdir()
        (folder / JOURNAL).write_bytes(b"".join(lines[:end]))
        sums_path(folder / JOURNAL).write_bytes(b"".join(sums[:end]))
        left = read_ledger(folder).records
        workers = Workers(checkpoints={one.number: len(one.curve) - 1 for one in left if one.curve})
        workers.run(open_in(space, folder))
        assert [comparable(record) for record in read_records(folder)] == meant, end
        later = [number for number, _ in workers.pieces][1:]  # the first job may have begun before the kill
        assert later == [number for number, _ in whole.pieces][len(whole.pieces) - len(later) :], end
        shutil.rmtree(folder)


@by_lowest_loss
def test_a_rung_that_was_saved_but_not_recorded_is_taken_in(space: Space, tmp_path: Path) -> None:
    """A worker saves its checkpoint before it reports, so a kill may leave it a rung ahead of the journal."""
    whole, workers = Workers(), Workers()
    whole.run(open_in(space, tmp_path / "whole"))
    job = open_in(space, tmp_path / "out").next_job()
    assert job is not None
    workers.checkpoints[job.number] = 0
    workers.run(open_in(space, tmp_path / "out"))
    meant = [comparable(record) for record in read_records(tmp_path / "whole")]
    assert [comparable(record) for record in read_records(tmp_path / "out")] == meant


@by_lowest_loss
def test_known_designs_start_first_and_the_rest_of_them_is_drawn(tmp_path: Path) -> None:
    space = front_space(tmp_path, "search.trials=5", 'points=[{variant: vanilla, layers: "3@1", d_model: 32}]')
    Workers().run(open_in(space, tmp_path / "out"))
    first = read_records(tmp_path / "out")[0].candidate
    assert (first.model.variant, first.model.layers, first.model.d_model) == ("vanilla", "3@1", 32)
    assert 1e-3 <= first.training.learning_rate <= 1e-1


@by_lowest_loss
def test_a_known_design_over_a_limit_is_infeasible_and_the_search_continues(tmp_path: Path) -> None:
    points = 'points=[{variant: vanilla, layers: "6@1", d_model: 64}, {variant: vanilla, layers: "6@1", d_model: 64}]'
    Workers().run(open_in(front_space(tmp_path, "search.trials=3", points), tmp_path / "out"))
    states = [record.state for record in read_records(tmp_path / "out")]
    assert states[:2] == ["infeasible", "infeasible"] and "complete" in states


@by_lowest_loss
def test_a_known_design_that_repeats_another_is_a_duplicate(tmp_path: Path) -> None:
    point = '{variant: vanilla, layers: "3@1", d_model: 32, learning_rate: 1e-2}'
    space = front_space(tmp_path, "search.trials=3", f"points=[{point}, {point}]")
    Workers(2).run(open_in(space, tmp_path / "out"))
    records = read_records(tmp_path / "out")
    assert [record.state for record in records].count("duplicate") == 1
    assert records[1].twin == 0 and records[1].loss == records[0].loss


def lengths(folder: Path, budget: str, *points: str) -> list[tuple[str, int]]:
    """States and lengths of the trials of a space whose trainings differ in length."""
    written = [
        f'{{variant: vanilla, layers: "1@1", d_model: {width}, tokens: {tokens}}}'
        for width, tokens in zip((16, 32, 48, 64), points, strict=False)
    ]
    varying = ("training.tokens={values: [10k, 80k]}", f"search.tokens={budget}", f"points=[{', '.join(written)}]")
    Workers().run(open_in(front_space(folder, *varying, "search.trials="), folder / "out"))
    return [(record.shown_state, record.candidate.training.tokens) for record in read_records(folder / "out")]


@by_lowest_loss
def test_no_known_design_begins_that_the_budget_does_not_pay_for(tmp_path: Path) -> None:
    found = lengths(tmp_path, "90k", "80k", "80k", "80k", "80k")
    assert sorted(found) == [("complete", 80_000), ("paused", 80_000)]


@by_lowest_loss
def test_a_known_design_begins_where_the_budget_pays_for_its_own_training(tmp_path: Path) -> None:
    assert lengths(tmp_path, "50k", "10k", "80k") == [("complete", 10_000)]


@by_lowest_loss
def test_a_small_space_is_trained_whole_and_then_ends(tmp_path: Path) -> None:
    finite = ("training.learning_rate=1e-2", "model.d_model=16", "limits.memory=2 GiB")
    space = front_space(tmp_path, "search.trials=100", *finite)
    Workers().run(open_in(space, tmp_path / "out"))
    records = read_records(tmp_path / "out")
    assert len({record.candidate.digest() for record in records}) == len(records) == space.combinations() == 18
    assert {record.state for record in records} == {"complete"}


@by_lowest_loss
def test_limits_that_nothing_meets_end_the_search_and_are_named(tmp_path: Path) -> None:
    watcher = Journalist()
    space = front_space(tmp_path, "limits.memory=1 kB")
    coordinator = open_in(space, tmp_path / "out", watcher)
    assert coordinator.next_job() is None and coordinator.ended and not watcher.messages
    with pytest.raises(UserError, match=r"^limits.memory: nothing was trained: .* the tightest limit is memory"):
        coordinator.check_begun(space)


@by_lowest_loss
def test_a_search_whose_every_trial_fails_ends(tmp_path: Path) -> None:
    coordinator = open_in(front_space(tmp_path, "search.trials=2"), tmp_path / "out")
    failed = 0
    while (job := coordinator.next_job()) is not None:
        coordinator.report(job.number, {"state": "failed", "curve": [], "error": f"{'AB'[failed % 2]}: no"})
        failed += 1
    assert coordinator.ended and 2 <= failed <= 16


@by_lowest_loss
def test_where_checkpoints_have_no_room_the_least_promising_trials_are_pruned(tmp_path: Path) -> None:
    out = tmp_path / "out"
    coordinator = open_in(front_space(tmp_path, "search.tokens=70k", "search.checkpoints=2 kB"), out)

    class Saving(Workers):
        def _begun(self, job: Any, coordinator: Any) -> Any:
            checkpoint = trial_folder(out, job.number) / "checkpoint"
            checkpoint.mkdir(parents=True, exist_ok=True)
            (checkpoint / "checkpoint.safetensors").write_bytes(bytes(1000))
            return super()._begun(job, coordinator)

    Saving().run(coordinator)
    records = read_records(out)
    kept = {number for number in range(len(records)) if (trial_folder(out, number) / "checkpoint").exists()}
    assert kept == {record.number for record in records if record.paused} and len(kept) <= 2
    pruned = [record for record in records if record.state == "pruned" and not record.paused]
    assert pruned and "complete" in {record.state for record in records}
    assert max(records[:3], key=lambda record: record.curve[2].loss) in pruned


@by_lowest_loss
def test_a_checkpoint_is_looked_up_once_for_each_pause(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, measured = Checkpoints._measured, list[int]()

    def counted(checkpoints: Checkpoints, number: int) -> int:
        measured.append(number)
        return measure(checkpoints, number)

    monkeypatch.setattr(Checkpoints, "_measured", counted)
    watcher = Journalist()
    Workers().run(open_in(space, tmp_path / "out", watcher))
    assert measured == [number for number, _ in watcher.pauses] and len(measured) > 2


@by_lowest_loss
def test_paused_trials_stand_in_the_tables_as_pruned_and_paused(space: Space, tmp_path: Path) -> None:
    Workers().run(open_in(space, tmp_path / "out"))
    records = read_records(tmp_path / "out")
    write_tables(tmp_path / "out", records)
    table = read_trials(tmp_path / "out" / "trials.csv")
    assert list(table["paused"]) == [record.paused for record in records]
    assert set(table[table["paused"]]["state"]) == {"pruned"}
    # Without sums the tables are what a journal is compared with: they show no end of a paused trial.
    sums_path(tmp_path / "out" / JOURNAL).write_bytes(b"")
    assert read_ledger(tmp_path / "out").records == records


def test_the_real_strategy_leads_a_search_the_same_way_each_time(tmp_path: Path) -> None:
    pieces = []
    for name in ("once", "again"):
        workers = Workers()
        workers.run(open_in(front_space(tmp_path, "search.trials=4"), tmp_path / name))
        pieces.append(workers.pieces)
        records = read_records(tmp_path / name)
        assert {record.state for record in records} == {"complete", "pruned"}
        assert tokens_trained(records) <= 4 * 20_000 + 256 * len(records)
    assert pieces[0] == pieces[1]
