"""A paused trial in the ledger: open in Optuna's study, resumed where it was paused, and damage to it is noticed."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from support.damage import DAMAGES, Damage
from support.made_up_search import open_in
from support.paused_search import LowestLoss, Workers, front_space

from msarch.errors import UserError
from search.ledger import reading
from search.ledger.attributes import CONTINUE, PAUSE
from search.ledger.folder import JOURNAL
from search.ledger.ledger import Ledger, open_ledger
from search.ledger.line_sums import sums_path
from search.ledger.reading import read_ledger, read_records
from search.ledger.records import TrialRecord
from search.space.space import Space
from search.space.writer import space_identity


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.propose.front.strategy.FrontStrategy", LowestLoss)
    monkeypatch.setattr(reading, "PAUSE", 0.0)  # nobody writes these journals while they are read


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Space, Path]:
    """A space, and the results of its search."""
    place = tmp_path_factory.mktemp("paused")
    space = front_space(place, "search.tokens=60k")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("search.propose.front.strategy.FrontStrategy", LowestLoss)
        Workers().run(open_in(space, place / "out"))
    return space, place / "out"


@pytest.fixture
def space(searched: tuple[Space, Path]) -> Space:
    return searched[0]


@pytest.fixture
def folder(searched: tuple[Space, Path], tmp_path: Path) -> Path:
    """A copy of the results."""
    return shutil.copytree(searched[1], tmp_path / "out")


def opened(space: Space, folder: Path) -> Ledger:
    return open_ledger(folder, space.objectives, space_identity(space))


def first_paused(folder: Path) -> TrialRecord:
    return next(record for record in read_records(folder) if record.paused)


def test_a_paused_trial_is_open_in_the_study_and_not_resumed_by_itself(space: Space, folder: Path) -> None:
    ledger, paused = opened(space, folder), first_paused(folder)
    rung = paused.curve[-1].rung
    assert ledger.study.trials[paused.number].state.name == "RUNNING"
    assert ledger.close_unfinished() == []
    assert paused.state == "pruned" and ledger.verdict(paused.number, rung) == PAUSE
    ledger.record_thaw(paused.number, rung)
    assert ledger.verdict(paused.number, rung) == CONTINUE
    assert ledger.record(paused.number).state == "running" and not ledger.record(paused.number).paused
    assert opened(space, folder).close_unfinished() == [paused.number]


def test_a_paused_trial_that_is_given_up_is_pruned_for_good(space: Space, folder: Path) -> None:
    ledger, paused = opened(space, folder), first_paused(folder)
    record = ledger.end(paused.number, {"state": "pruned"})
    assert record.state == "pruned" and not record.paused
    assert ledger.study.trials[paused.number].state.name == "PRUNED"
    assert read_records(folder)[paused.number] == record


def test_a_trial_resumed_where_it_was_not_paused_is_damaged(space: Space, folder: Path) -> None:
    opened(space, folder).record_thaw(first_paused(folder).number, 0)
    with pytest.raises(UserError, match="it was resumed at rung 0, where it was not paused"):
        read_ledger(folder)


def test_a_lost_resumption_is_noticed_in_a_complete_trial(folder: Path) -> None:
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    sums_path(folder / JOURNAL).unlink()
    thawed = next(index for index, line in enumerate(lines) if b'"thaw/' in line)
    (folder / JOURNAL).write_bytes(b"".join(lines[:thawed] + lines[thawed + 1 :]))
    with pytest.raises(UserError, match="does not match its checksum"):
        read_ledger(folder)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_noticed(damage: Damage, folder: Path) -> None:
    right, whole = {record.number: record for record in read_records(folder)}, (folder / JOURNAL).read_bytes()
    for seed in range(3):
        damaged = damage(whole, random.Random(seed))
        (folder / JOURNAL).write_bytes(damaged)
        if damaged == whole:
            continue
        with pytest.raises(UserError, match=JOURNAL):
            read_ledger(folder)
        try:
            kept = read_ledger(folder, skip_damaged=True).records
        except UserError:
            continue
        assert all(right[record.number] == record for record in kept), seed
