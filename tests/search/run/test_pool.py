"""The designs that the strategy "front" chooses from: some, as long as the space has more that fit this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.made_up_search import Journalist, open_in, prepare, profile
from support.paused_search import LowestLoss, Workers, front_space

from search.ledger.ledger import open_ledger
from search.ledger.reading import read_records
from search.ledger.records import TrialRecord
from search.run.budget import tokens_of
from search.run.pool import FEWEST, SpacePool
from search.run.proposer import Proposer
from search.run.room import Room
from search.space.space import Space
from search.space.writer import space_identity


def pool_in(folder: Path, space: Space) -> tuple[SpacePool, Room]:
    ledger = open_ledger(folder, space.objectives, space_identity(space))
    room = Room()
    proposer = Proposer(space, ledger, 1, prepare)
    return SpacePool(proposer, profile, seed=0, message=lambda text: None, room=room), room


@pytest.mark.parametrize("seed", range(4))
def test_a_search_whose_limits_admit_one_design_in_fifteen_spends_its_budget(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.propose.front.strategy.FrontStrategy", LowestLoss)
    space = front_space(tmp_path, "limits.memory=3 MiB", "search.trials=6", f"search.seed={seed}")
    watcher = Journalist()
    Workers().run(open_in(space, tmp_path / "out", watcher))
    spent = sum(tokens_of(record) for record in read_records(tmp_path / "out"))
    assert spent > 5 * 20_000 and not watcher.messages


@pytest.mark.parametrize(("limit", "started"), [("20 MiB", 400), ("4 MiB", 80)])
def test_it_lacks_no_designs_however_many_were_started(tmp_path: Path, limit: str, started: int) -> None:
    space = front_space(tmp_path, f"limits.memory={limit}")
    pool, _ = pool_in(tmp_path, space)
    records: list[TrialRecord] = []
    for number in range(started):
        designs = pool(records)
        assert len(designs) >= FEWEST, number
        records.append(TrialRecord(number=number, state="complete", candidate=designs[0].candidate))
    assert len({record.candidate.digest() for record in records}) == len(records)


def test_designs_too_large_for_this_machine_are_passed_over_and_it_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.propose.front.strategy.FrontStrategy", LowestLoss)
    watcher = Journalist()
    coordinator = open_in(front_space(tmp_path, "search.trials=3"), tmp_path / "out", watcher)
    coordinator.set_room(3_500_000)
    Workers().run(coordinator)
    records = read_records(tmp_path / "out")
    assert sum(map(tokens_of, records)) > 2 * 20_000
    assert all(one.curve and one.profile["memory_bytes"] <= 3_500_000 for one in records)
    assert len(watcher.messages) == 1
    assert re.fullmatch(
        r"designs that are too large for this machine are passed over "
        r"\(such as free memory: [0-9.]+ MiB > 3.34 MiB free on this machine\)",
        watcher.messages[0],
    )


def test_a_search_of_which_nothing_fits_into_free_memory_ends_and_says_why(tmp_path: Path) -> None:
    watcher = Journalist()
    coordinator = open_in(front_space(tmp_path), tmp_path / "out", watcher)
    before = coordinator.ended  # asked before the room is known
    coordinator.set_room(1_000)
    assert coordinator.next_job() is None and not coordinator.records()
    assert (before, coordinator.ended) == (False, True)
    (told,) = watcher.messages
    assert "the tightest limit is free memory" in told and "0.977 KiB free on this machine): free some, or make" in told


def test_what_had_no_room_may_start_on_a_larger_machine(tmp_path: Path) -> None:
    space = front_space(tmp_path, "limits.memory=20 MiB")
    pool, room = pool_in(tmp_path, space)
    design = max(pool([]), key=lambda design: design.profile["memory_bytes"])
    violation = "free memory: 2 MiB > 1 MiB free on this machine"
    refused = TrialRecord(number=0, state="infeasible", candidate=design.candidate, violation=violation)
    assert design in pool([refused])
    room.size = design.profile["memory_bytes"] - 1
    assert design not in pool([refused])
