"""A search as TensorBoard's event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import drive, open_in, space_in
from tensorboardX.proto.event_pb2 import Event

from search.ledger.records import TrialRecord
from search.run.event_files import EVENTS
from search.run.event_watcher import EventWatcher
from search.run.request import SearchRequest


def events_of(folder: Path) -> list[Any]:
    """Every event of a run's files, in the order of their steps' beginnings."""
    found: list[Any] = []
    for path in sorted(folder.iterdir(), key=lambda path: int(path.suffix[1:])):
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")  # then a sum, the event, another sum
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def points(folder: Path, tag: str) -> dict[int, float]:
    return {e.step: v.simple_value for e in events_of(folder) for v in e.summary.value if v.tag == tag}


def searched(folder: Path, watched: bool) -> list[TrialRecord]:
    watcher = EventWatcher(folder) if watched else None
    coordinator = open_in(space_in(folder.parent), folder, watcher, trials=24)
    drive(coordinator)
    return coordinator.records()


def check(folder: Path, records: list[TrialRecord]) -> None:
    trained = [record for record in records if record.curve and record.state != "duplicate"]
    assert {path.name for path in (folder / EVENTS).iterdir()} == {f"{record.number:04d}" for record in trained}
    for record in trained:
        run = folder / EVENTS / f"{record.number:04d}"
        assert points(run, "validation/loss") == pytest.approx({point.step: point.loss for point in record.curve})
        [memory] = points(run, "outcome/memory_bytes").values()
        assert memory == pytest.approx(record.profile["memory_bytes"])
        tags = {value.tag for event in events_of(run) for value in event.summary.value}
        assert "_hparams_/session_start_info" in tags
        assert ("outcome/perplexity" in tags) is (record.state == "complete")


def test_each_trained_trial_is_a_run_with_its_curve_and_its_outcome(tmp_path: Path) -> None:
    records = searched(tmp_path / "out", watched=True)
    assert {"complete", "pruned"} <= {record.state for record in records}
    check(tmp_path / "out", records)


def test_a_search_that_was_begun_without_them_gets_all(tmp_path: Path) -> None:
    records = searched(tmp_path / "out", watched=False)
    watcher = EventWatcher(tmp_path / "out")
    watcher.begin(records)
    check(tmp_path / "out", records)
    watcher.begin(records)
    check(tmp_path / "out", records)


def test_a_point_that_is_written_again_hides_the_first(tmp_path: Path) -> None:
    """As where the driver was killed after it had written a rung that the journal does not hold."""
    first = next(record for record in searched(tmp_path / "out", watched=False) if record.state == "complete")
    watcher = EventWatcher(tmp_path / "out")
    for point in first.curve[:3]:
        watcher.validated(first.number, point)
    watcher.close()
    again = EventWatcher(tmp_path / "out")
    for point in first.curve[2:]:
        again.validated(first.number, point)
    again.finished(first)
    run = tmp_path / "out" / EVENTS / f"{first.number:04d}"
    begun = [event.step for event in events_of(run) if event.HasField("session_log")]
    assert begun == [first.curve[0].step, first.curve[2].step], "TensorBoard drops this step and later ones before"
    check(tmp_path / "out", [first])


def test_the_command_that_continues_a_search_repeats_the_choice(tmp_path: Path) -> None:
    space = space_in(tmp_path)
    assert SearchRequest.of(space, tmp_path / "out", tensorboard=True).command().endswith(" --tensorboard")
    assert "tensorboard" not in SearchRequest.of(space, tmp_path / "out").command()
