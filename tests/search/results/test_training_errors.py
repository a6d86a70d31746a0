"""A loss that runs away and memory that runs out end `reproduce` and `confirm` in one line, as they end `train`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import run_command

from msarch.config import ModelConfig
from msarch.training.step import training_step
from search.results.confirm.runs import confirm_folder, read_runs

Run = Callable[..., tuple[int, str, str]]
LARGEST = 2**55
"""Bytes that no machine has."""


@pytest.fixture
def run(searched: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("reproduce", "results")`: status, output and errors of a command where a search was."""
    return lambda *arguments: run_command(list(arguments), monkeypatch, capfd)


def diverges(*arguments: Any) -> torch.Tensor:
    return torch.tensor(float("nan"))


def runs_out(*arguments: Any) -> torch.Tensor:
    return torch.empty(LARGEST)


def runs_out_on_a_gpu(*arguments: Any) -> torch.Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1 GiB")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (diverges, "error: training loss is not finite at step 1; the recorded training ended, so"),
        (runs_out, "error: this machine's memory ran out; a step is predicted to need"),
        (runs_out_on_a_gpu, "error: the GPU's memory ran out; a step is predicted to need"),
    ],
)
def test_reproduce_says_in_a_line_why_it_could_not(
    fault: Callable[..., torch.Tensor], told: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msarch.training.trainer.training_step", fault)
    status, _, errors = run("reproduce", "results")
    assert status == 2 and errors.splitlines()[-1].startswith(told) and "Traceback" not in errors


def test_confirm_leaves_out_a_model_that_does_not_fit_and_continues(
    run: Run, searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = int(run("confirm", "results", "--seeds", "2", "--dry-run")[1].split()[0])
    tried: list[ModelConfig] = []

    def step(*arguments: Any) -> torch.Tensor:
        tried.append(arguments[0].config)
        return runs_out() if tried[0] == tried[-1] else training_step(*arguments)

    monkeypatch.setattr("msarch.training.trainer.training_step", step)
    status, out, errors = run("confirm", "results", "--seeds", "2", "--format", "json")
    runs, lines = read_runs(searched / "results"), errors.splitlines()
    [skipped] = [line for line in lines if line.startswith("trial ") and "memory ran out" in line]
    assert "left out" in skipped and tried.count(tried[0]) == 1, "with another seed it needs as much"
    assert len(runs) == planned - 2 and all(each.loss is not None for each in runs), "it is no failed run"
    assert status == 2 and lines[-1].startswith("error: memory ran out for trial ") and "Traceback" not in errors
    assert not (confirm_folder(searched / "results") / "checkpoint").exists()
    monkeypatch.setattr("msarch.training.trainer.training_step", training_step)
    status, out, _ = run("confirm", "results", "--seeds", "2", "--format", "json")
    assert status == 0 and len(read_runs(searched / "results")) == planned and json.loads(out)["models"]


def test_confirm_records_a_loss_that_runs_away(run: Run, searched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msarch.training.trainer.training_step", diverges)
    status, _, errors = run("confirm", "results", "--seeds", "1")
    assert status == 0 and "failed: training loss is not finite at step 1" in errors
    assert all("not finite" in each.error for each in read_runs(searched / "results"))
