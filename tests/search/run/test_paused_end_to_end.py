"""A real search that pauses and resumes, through real Ray and a kill, against trainings that nobody disturbed."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from msarch.data.token_set import prepare_tokens
from msarch.training.trainer import Trainer
from search.ledger.reading import read_records
from search.ledger.records import TrialRecord

SPACE = """
corpus: {train: "text/train.txt", validation: "text/validation.txt", tokenizer: bytes}
model:
  context: 32
  d_model: {values: [16, 32]}
  d_head: 16
  variant:
    vanilla: {layers: "1..2@1"}
    top_down: {layers: "1@4 1..2@1"}
training: {tokens: 20k, batch_size: 8, learning_rate: {min: 1e-3, max: 1e-1, log: true}, validation_tokens: 500}
limits: {memory: 3 MiB}
objectives: [perplexity, memory]
search: {strategy: front, tokens: 40k, seed: 0}
"""

RUN = """
import sys
from search.run.run_search import run_search
from search.run.watcher import Silent

class Printer(Silent):
    def started(self, number, candidate, profile): print("started", number, flush=True)
    def paused(self, record): print("paused", record.number, record.curve[-1].rung, flush=True)
    def finished(self, record): print("finished", record.number, record.state, flush=True)

if __name__ == "__main__":
    run_search("space.yaml", "out", display=Printer(), **eval(sys.argv[1]))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "run.py").write_text(RUN)
    words = ["the", "model", "reads", "every", "token", "at", "a", "fine", "scale", "and", "a", "coarse", "one"]
    generator = random.Random(0)
    (tmp_path / "text").mkdir()
    for name, count in (("train", 20_000), ("validation", 2_000)):
        (tmp_path / "text" / f"{name}.txt").write_text(" ".join(generator.choice(words) for _ in range(count)))
    return tmp_path


def _start(place: Path, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(
        [sys.executable, "run.py", repr(options)], cwd=place, env=environment, stdout=subprocess.PIPE, text=True
    )


def _run(place: Path, **options: object) -> str:
    process = _start(place, **options)
    out, _ = process.communicate()
    assert process.returncode == 0
    return out


def _check_undisturbed(place: Path, record: TrialRecord) -> None:
    """The same candidate trained at one go has the same losses and weights, bit for bit."""
    trainer = Trainer(record.candidate, prepare_tokens(record.candidate.corpus, base=place))
    while not trainer.finished:
        trainer.advance()
    assert [point.loss for point in trainer.curve] == [point.loss for point in record.curve]
    weights = load_file(place / "out" / "trials" / f"{record.number:04d}" / "model.safetensors")
    own = dict(trainer.model.state_dict())
    assert weights.keys() <= own.keys() and all(torch.equal(weights[name], own[name]) for name in weights)


def test_a_resumed_trial_is_bit_for_bit_one_that_was_never_paused(place: Path) -> None:
    """One trial at a time, for an order that never varies: the first is paused, and resumed by another process."""
    process = _start(place, concurrent=1)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("paused 2"):
            break
    process.kill()
    process.communicate()
    before = {record.number for record in read_records(place / "out") if record.paused}
    out = _run(place, concurrent=1, tokens=80_000)
    records = {record.number: record for record in read_records(place / "out")}
    states = {record.state for record in records.values()}
    assert "complete" in states and states <= {"complete", "pruned"}
    assert sum(record.curve[-1].tokens for record in records.values()) <= 80_000 + 256 * len(records)
    paused = {int(number) for number in re.findall(r"^paused (\d+)", out, re.MULTILINE)} | before
    resumed = [record for number, record in records.items() if number in paused and record.state == "complete"]
    assert resumed
    for record in resumed:
        _check_undisturbed(place, record)
    kept = {int(path.parent.name) for path in place.glob("out/trials/*/checkpoint")}
    assert kept == {number for number, record in records.items() if record.paused}
