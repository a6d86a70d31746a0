"""Which finished trials keep the checkpoint from before their decay, as a search goes on, stops and is resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.made_up_search import Journalist, drive, open_in, space_in

from msarch.errors import UserError
from msarch.training.file_names import BEFORE_DECAY
from search.ledger.folder import trial_folder
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.results.results import load_results
from search.run.kept import KeptCheckpoints
from search.run.run_search import KEEP_HAS_NO_EFFECT, run_search
from search.space.load import load_space
from search.space.schema.search import Keep
from search.space.space import Space
from search.space.writer import plain_space, space_identity

OBJECTIVES = ("perplexity", "memory")


def _written(folder: Path, records: list[TrialRecord]) -> None:
    for record in records:
        trial_folder(folder, record.number).mkdir(parents=True)
        (trial_folder(folder, record.number) / BEFORE_DECAY).write_bytes(b"checkpoint")


def _kept(folder: Path) -> list[int]:
    return sorted(int(path.parent.name) for path in folder.glob(f"trials/*/{BEFORE_DECAY}"))


@pytest.mark.parametrize(("keep", "kept"), [("none", []), ("front", [1, 2]), ("all", [0, 1, 2, 3])])
def test_each_choice(keep: Keep, kept: list[int], make_record: Callable[..., TrialRecord], tmp_path: Path) -> None:
    complete = [make_record(0, 60, 20), make_record(1, 50, 30), make_record(2, 55, 10), make_record(3, 80, 40)]
    records = [*complete, replace(make_record(4, 10, 5), state="pruned", loss=None, bits_per_byte=None)]
    _written(tmp_path, records)
    checkpoints = KeptCheckpoints(tmp_path, keep, OBJECTIVES)
    for record in records:
        checkpoints.note_end(record)
    assert _kept(tmp_path) == kept


def _searched(tmp_path: Path, keep: Keep | None, *overrides: str) -> tuple[list[int], list[int]]:
    """A search whose complete trials have written their checkpoints: the numbers of these, and those of its front."""
    drive(open_in(_space(tmp_path, *overrides), tmp_path / "out", keep=keep))
    complete = [record for record in load_results(tmp_path / "out").records if record.state == "complete"]
    for record in complete:
        (trial_folder(tmp_path / "out", record.number) / BEFORE_DECAY).write_bytes(b"checkpoint")
    front = sorted(record.number for record in pareto_front(complete, OBJECTIVES))
    assert len(front) < len(complete)
    return [record.number for record in complete], front


def _space(tmp_path: Path, *overrides: str) -> Space:
    return load_space(space_in(tmp_path).file, ["training.schedule=wsd", "search.trials=8", *overrides])


def _opened(tmp_path: Path, keep: Keep | None, *overrides: str) -> tuple[list[int], list[str]]:
    """What a search that is continued has kept, and what it told."""
    watcher = Journalist()
    open_in(_space(tmp_path, *overrides), tmp_path / "out", watcher, keep=keep)
    return _kept(tmp_path / "out"), watcher.messages


def test_a_choice_lasts_until_another_is_made(tmp_path: Path) -> None:
    complete, front = _searched(tmp_path, "all")
    assert _opened(tmp_path, None) == (complete, [])
    gone = len(complete) - len(front)
    told = [f"checkpoints to train on from, removed since the choice is to keep front: {gone}"]
    assert _opened(tmp_path, "front") == (front, told)
    assert _opened(tmp_path, None) == (front, [])
    kept, messages = _opened(tmp_path, None, "search.keep=none")
    assert not kept and len(messages) == 1


def test_a_choice_of_the_space_lasts_when_it_is_left_out_and_takes_effect_again_when_it_is_changed(
    tmp_path: Path,
) -> None:
    complete, front = _searched(tmp_path, None, "search.keep=all")
    assert _opened(tmp_path, None) == (complete, [])
    assert _opened(tmp_path, None, "search.keep=front")[0] == front


def test_a_space_that_says_what_it_always_said_makes_no_new_choice(tmp_path: Path) -> None:
    complete, front = _searched(tmp_path, "all", "search.keep=front")
    assert _opened(tmp_path, None, "search.keep=front") == (complete, [])
    assert _opened(tmp_path, "front", "search.keep=front")[0] == front


def test_where_no_choice_was_ever_made_nothing_that_is_there_is_removed(tmp_path: Path) -> None:
    complete, _ = _searched(tmp_path, None)
    assert _opened(tmp_path, None) == (complete, [])


def test_the_choice_is_not_part_of_what_makes_a_search_and_is_recorded_only_where_it_has_an_effect(
    tmp_path: Path,
) -> None:
    file = space_in(tmp_path).file
    cosine, wsd = load_space(file), load_space(file, ["training.schedule=wsd"])
    none = load_space(file, ["training.schedule=wsd", "search.keep=none"])
    assert "keep" not in plain_space(cosine)["search"] and plain_space(none)["search"]["keep"] == "none"
    assert "keep" not in plain_space(wsd)["search"]  # it is not chosen
    assert space_identity(none) == space_identity(wsd)
    with pytest.raises(UserError, match="unknown keep 'some'"):
        load_space(file, ["search.keep=some"])


def test_a_choice_without_effect_is_told(tmp_path: Path) -> None:
    watcher = Journalist()
    impossible = load_space(space_in(tmp_path).file, ["limits.memory=1 KiB"])
    with pytest.raises(UserError, match="memory"):
        run_search(impossible, tmp_path / "out", keep="all", display=watcher)
    assert watcher.messages == [KEEP_HAS_NO_EFFECT]
