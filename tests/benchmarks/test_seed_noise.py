"""Trials trained again with other seeds: which, how often, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.command_line import fill
from support.made_up_search import SPACE, drive, open_in
from support.small_models import small, training_of

from benchmarks import seed_noise
from msarch import Candidate, load_results
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.space.load import load_space


def record(number: int, loss: float) -> TrialRecord:
    return TrialRecord(
        number=number,
        state="complete",
        candidate=Candidate(model=small("vanilla", "1@1"), training=training_of(4)),
        profile={},
        loss=loss,
        curve=(Validation(rung=0, step=1, tokens=64, loss=loss, bits_per_byte=loss, seconds=0.0),),
    )


def test_models_are_spread_over_the_order_of_their_losses() -> None:
    records = [record(number, loss) for number, loss in enumerate((3.0, 1.0, 5.0, 2.0, 4.0))]
    assert [each.number for each in seed_noise.spread(records, 3)] == [1, 0, 2]
    assert [each.number for each in seed_noise.spread(records, 9)] == [1, 3, 0, 4, 2]
    assert [each.number for each in seed_noise.spread(records, 1)] == [1]


def test_each_seed_is_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = fill(tmp_path) / "space.yaml"
    space.write_text(SPACE.replace("{source: python-docs, tokenizer: bytes}", '{train: "text.txt", tokenizer: bytes}'))
    drive(open_in(load_space(space), tmp_path / "out", trials=6))
    command = [str(tmp_path / "out"), "--models", "2", "--set", f"corpus.train={tmp_path}/text.txt"]
    seed_noise.main(command)
    assert capsys.readouterr().out.count("training trial") == 4
    seed_noise.main(command)
    assert "training trial" not in capsys.readouterr().out
    runs = pd.read_csv(tmp_path / "out" / seed_noise.FILE)
    results = load_results(tmp_path / "out")
    rungs = {each.number: len(each.curve) for each in results.records if each.number in set(runs.trial)}
    assert len(rungs) == 2 and len(runs) == 2 * sum(rungs.values()) and set(runs.seed) == {1, 2}
    assert runs.groupby(["trial", "rung"]).loss.nunique().eq(2).all()
