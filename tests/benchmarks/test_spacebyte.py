"""SpaceByte and its rivals read the same text, and meet what they are made equal in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.made_up_novels import write_novels

from benchmarks import spacebyte
from benchmarks.novels import Novels
from benchmarks.spacebyte import Rival, compared


@pytest.fixture
def novels(tmp_path: Path) -> Path:
    return write_novels(tmp_path / "novels")


def of_kind(models: list[Rival], kind: str) -> list[Rival]:
    return [model for model in models if model.kind == kind]


def test_rivals_read_the_same_text_and_are_equal_in_what_they_are_named_for(novels: Path) -> None:
    models = compared(Novels(novels), "2@1 4@5 2@1", 320)
    own, bytes_alone, *bpe = models
    assert own.model.variant == "spacebyte" and {rival.model.variant for rival in (bytes_alone, *bpe)} == {"vanilla"}
    for rival in of_kind(models, "BPE, equal memory"):
        assert rival.memory == pytest.approx(own.memory, rel=0.1)
    for rival in of_kind(models, "BPE, equal FLOPs"):
        assert rival.flops_per_byte == pytest.approx(own.flops_per_byte, rel=0.1)
    assert len(bpe) == 4 and all(rival.model.n_layers <= own.model.n_layers for rival in bpe)
    for rival in (bytes_alone, *bpe):
        training = rival.training(1_000_000)
        assert training.tokens * rival.bytes_per_token == pytest.approx(1_000_000, rel=0.001)
        assert rival.model.context * rival.bytes_per_token == pytest.approx(own.model.context, rel=0.05)


def test_the_same_command_goes_on(
    novels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(spacebyte, "SMALLEST", 20_480)
    monkeypatch.setattr("benchmarks.budgets.SMALLEST", 20_480)
    runs = tmp_path / "runs.csv"
    command = ["spacebyte", str(novels), "--layers", "1@1 1@5 1@1", "--seeds", "1", "--largest", "20480"]
    monkeypatch.setattr("sys.argv", [*command, "--runs", str(runs), "--scratch", str(tmp_path / "scratch")])
    spacebyte.main()
    told = capsys.readouterr().out
    finished = pd.read_csv(runs)
    assert told.count("training ") == finished.model.nunique() and "bits per byte" in told
    spacebyte.main()
    assert "training " not in capsys.readouterr().out and pd.read_csv(runs).equals(finished)
