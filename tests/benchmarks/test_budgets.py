"""Cells of one run: each budget's decay branches off, and what is finished is not made again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.made_up_novels import write_novels

from benchmarks import budgets
from msarch.training.trainer import Trainer


@pytest.fixture
def novels(tmp_path: Path) -> Path:
    return write_novels(tmp_path / "novels")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest budget has ten steps, of one sequence."""
    monkeypatch.setattr(budgets, "SMALLEST", 2_560)
    monkeypatch.setattr(budgets, "TOKENS_PER_STEP", 256)


def test_each_budget_goes_on_from_the_one_before(
    novels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starts: list[int] = []
    restore = Trainer.restore

    def noting(trainer: Trainer, folder: Path, *, any_warmup: bool) -> bool:
        found = restore(trainer, folder, any_warmup=any_warmup)
        starts.append(trainer.step)
        return found

    monkeypatch.setattr(Trainer, "restore", noting)
    runs, scratch = str(tmp_path / "runs.csv"), str(tmp_path / "scratch")
    command = [str(novels), "--seeds", "1", "--largest", "5120", "--runs", runs, "--scratch", scratch]
    budgets.main(command)
    # 10 steps and 20; the last fifth of each is a decay.
    assert starts == [0] * 4 + [8] * 4
    assert "no cell has two seeds yet" in capsys.readouterr().out
    finished = pd.read_csv(runs)
    assert finished.groupby("budget").model.nunique().tolist() == [4, 4]
    budgets.main([*command, "--largest", "2560", "--costs", "2"])
    assert "of a step" in capsys.readouterr().out
    assert len(starts) == 8 and pd.read_csv(runs).equals(finished)


def test_a_cell_is_the_same_whatever_was_trained_before_it(
    novels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = budgets.compared("hourglass", "bytes", 256).items()
    monkeypatch.setattr(budgets, "compared", lambda *_: dict([first]))
    runs = tmp_path / "runs.csv"
    command = [str(novels), "--seeds", "1", "--runs", str(runs), "--scratch", str(tmp_path / "scratch")]
    budgets.main([*command, "--largest", "10240"])
    finished = pd.read_csv(runs)
    cell = finished.budget == 5_120
    finished[~cell].to_csv(runs, index=False)  # its folder holds the checkpoint of a larger budget by now
    budgets.main([*command, "--largest", "5120"])
    again = pd.read_csv(runs).tail(3)
    assert again.loss.tolist() == finished[cell].loss.tolist()
