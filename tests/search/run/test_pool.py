"""The designs that the strategy "front" chooses from: there are some as long as the space has more to give."""

from __future__ import annotations

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
from search.space.writer import space_identity


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
    ledger = open_ledger(tmp_path, space.objectives, space_identity(space))
    messages: list[str] = []
    pool = SpacePool(Proposer(space, ledger, 1, prepare), profile, seed=0, message=messages.append)
    records: list[TrialRecord] = []
    for number in range(started):
        designs = pool(records)
        assert len(designs) >= FEWEST, (number, messages)
        records.append(TrialRecord(number=number, state="complete", candidate=designs[0].candidate))
    assert len({record.candidate.digest() for record in records}) == len(records)
