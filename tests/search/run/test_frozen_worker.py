"""A worker that is stopped in the middle of a trial: a real search through real Ray, with a real SIGSTOP."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.ledger.reading import read_records

SPACE = """
corpus: {train: "train.txt", validation: "validation.txt", tokenizer: bytes}
model: {context: 32, d_model: 32, d_head: 16, variant: {vanilla: {layers: "2@1"}}}
training: {tokens: 400k, batch_size: 8, learning_rate: {min: 1e-3, max: 1e-2, log: true}, validation_tokens: 500}
search: {sampler: random, pruner: none, trials: 2, concurrent: 1, seed: 0, trial_timeout: 8s}
"""

RUN = """
from msarch import UserError
from search.run.run_search import run_search
from search.run.watcher import Silent

class Printer(Silent):
    def training(self, number): print("training", number, flush=True)
    def validated(self, number, point): print("validated", number, point.rung, flush=True)
    def finished(self, record): print("finished", record.number, record.state, flush=True)
    def message(self, text): print("message", text, flush=True)

if __name__ == "__main__":
    run_search("space.yaml", "out", display=Printer())
"""

_TRAINS = re.compile(r"ray::\w*Trainable")

Started = subprocess.Popen[str]


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Started]:
    generator = random.Random(0)
    for name, count in (("train", 20_000), ("validation", 2_000)):
        words = (generator.choice(["a", "model", "reads", "every", "token"]) for _ in range(count))
        (tmp_path / f"{name}.txt").write_text(" ".join(words))
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "run.py").write_text(RUN)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "MSARCH_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.faults
def test_a_frozen_worker_is_killed_and_its_trial_goes_on(search: Started, tmp_path: Path) -> None:
    lines = freeze_after(search, "validated 0 2")
    out, err = search.communicate(timeout=300)
    assert (search.returncode, err) == (0, "")
    assert "message trial 0: no sign of life for 8s; its process is killed" in out
    records = read_records(tmp_path / "out")
    assert [record.state for record in records] == ["complete", "complete"]
    assert "continues after step" in (tmp_path / "out/trials/0000/log.txt").read_text()
    told = [line for line in (*lines, *out.splitlines()) if line.startswith("validated 0")]
    assert told == [f"validated 0 {rung}" for rung in range(6)]


@pytest.mark.faults
def test_ctrl_c_does_not_wait_for_a_frozen_worker(search: Started, tmp_path: Path) -> None:
    freeze_after(search, "validated 0 2")
    began = time.monotonic()
    search.send_signal(signal.SIGINT)
    search.communicate(timeout=300)
    assert time.monotonic() - began < 60
    assert read_records(tmp_path / "out")[0].state == "running"


@pytest.mark.faults
def test_a_trial_that_hangs_again_and_again_is_failed(search: Started, tmp_path: Path) -> None:
    for _ in range(4):
        freeze_after(search, "training 0")
    assert search.communicate(timeout=300)[1] == ""
    records = read_records(tmp_path / "out")
    assert [record.state for record in records] == ["failed", "complete"]
    assert records[0].error.startswith("it hung 4 times: no sign of life for 8s")


def freeze_after(process: Started, line: str) -> list[str]:
    """The output up to that line; then the process that trains is stopped."""
    assert process.stdout is not None
    seen = []
    for text in process.stdout:
        seen.append(text.rstrip())
        if text.startswith(line):
            os.kill(trains_under(process.pid), signal.SIGSTOP)
            return seen
    raise AssertionError(seen)


def trains_under(driver: int) -> int:
    """The process of Ray below this driver that trains a trial."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    below, grown = {driver}, True
    while grown:
        found = below | {int(pid) for pid, parent, _ in rows if int(parent) in below}
        below, grown = found, found != below
    (worker,) = [int(pid) for pid, _, words in rows if int(pid) in below and _TRAINS.match(words)]
    return worker
