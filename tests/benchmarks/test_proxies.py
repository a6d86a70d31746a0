"""Scores set beside the losses of a search that was made up, on a text that is real."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.command_line import fill
from support.made_up_search import SPACE, drive, open_in
from support.small_models import small, training_of

from benchmarks import proxies
from msarch import Candidate
from msarch.proxies import PROXIES
from search.ledger.records import TrialRecord
from search.run.coordinator import Coordinator
from search.space.load import load_space


def record(number: int, loss: float | None, rate: float = 1e-3, seed: int = 0, layers: str = "1@1") -> TrialRecord:
    return TrialRecord(
        number=number,
        state="complete" if loss is not None else "pruned",
        candidate=Candidate(model=small("vanilla", layers), training=training_of(4, learning_rate=rate), seed=seed),
        profile={"memory_bytes": 1000 * int(layers[0])},
        loss=loss,
    )


def test_one_model_is_the_mean_of_its_seeds_at_its_best_learning_rate() -> None:
    records = [record(0, 2.0), record(1, 1.0, seed=1), record(2, 1.6, rate=2e-3), record(3, 0.5, layers="2@1")]
    one, other = proxies.models_of([*records, record(4, None, rate=3e-3), record(5, None, layers="3@1")])
    assert (one.loss, one.memory, one.candidate.training.learning_rate) == (1.5, 1000, 1e-3)
    assert (other.loss, other.memory) == (0.5, 2000)


def test_costs_are_measured_from_the_smallest_to_the_largest() -> None:
    models = [proxies.Model(candidate=record(0, 1.0).candidate, loss=1.0, memory=m) for m in (5, 3, 9, 1, 7)]
    assert [model.memory for model in proxies.spread(models, 3)] == [1, 5, 9]
    assert [model.memory for model in proxies.spread(models, 8)] == [1, 3, 5, 7, 9]
    assert proxies.spread(models, 0) == []


@pytest.fixture
def search(tmp_path: Path) -> Coordinator:
    """A search in tmp_path/out, whose text lay beside it once."""
    space = fill(tmp_path) / "space.yaml"
    space.write_text(SPACE.replace("{source: python-docs, tokenizer: bytes}", '{train: "text.txt", tokenizer: bytes}'))
    return open_in(load_space(space), tmp_path / "out", trials=6)


def test_a_table_from_end_to_end(
    search: Coordinator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drive(search)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    scores = tmp_path / "scores.csv"
    command = [str(tmp_path / "out"), "--set", f"corpus.train={tmp_path}/text.txt", "--csv", str(scores)]
    proxies.main([*command, "--timed", "1", "--draws", "20"])
    out = capsys.readouterr().out
    assert all(name in out for name in PROXIES)
    frame = pd.read_csv(scores)
    assert 2 <= len(frame) <= 6 and frame[list(PROXIES)].notna().all().all()


def test_a_table_without_complete_models_is_refused(
    search: Coordinator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        proxies.main([str(tmp_path / "out")])
    assert "has 0 complete models; two are needed at least" in capsys.readouterr().err
