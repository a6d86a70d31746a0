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


def test_a_search_keeps_those_of_its_front_and_a_later_start_clears_what_another_choice_left(tmp_path: Path) -> None:
    space = load_space(space_in(tmp_path).file, ["training.schedule=wsd", "search.trials=8"])
    drive(open_in(space, tmp_path / "out"))
    results = load_results(tmp_path / "out")
    for record in results.records:
        trial_folder(tmp_path / "out", record.number).mkdir(parents=True, exist_ok=True)
        (trial_folder(tmp_path / "out", record.number) / BEFORE_DECAY).write_bytes(b"checkpoint")
    open_in(space, tmp_path / "out")
    assert _kept(tmp_path / "out") == sorted(record.number for record in pareto_front(results.records, OBJECTIVES))


def test_the_choice_is_not_part_of_what_makes_a_search_and_is_recorded_only_where_it_has_an_effect(
    tmp_path: Path,
) -> None:
    file = space_in(tmp_path).file
    cosine, wsd = load_space(file), load_space(file, ["training.schedule=wsd"])
    none = load_space(file, ["training.schedule=wsd", "search.keep=none"])
    assert "keep" not in plain_space(cosine)["search"] and plain_space(wsd)["search"]["keep"] == "front"
    assert space_identity(none) == space_identity(wsd)
    with pytest.raises(UserError, match="unknown keep 'some'"):
        load_space(file, ["search.keep=some"])


def test_a_choice_without_effect_is_told(tmp_path: Path) -> None:
    watcher = Journalist()
    impossible = load_space(space_in(tmp_path).file, ["limits.memory=1 KiB"])
    with pytest.raises(UserError, match="memory"):
        run_search(impossible, tmp_path / "out", keep="all", display=watcher)
    assert watcher.messages == [KEEP_HAS_NO_EFFECT]
