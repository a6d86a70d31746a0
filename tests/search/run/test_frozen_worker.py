"""A worker that is stopped in the middle of a trial: a real search through real Ray, with a real SIGSTOP."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running_search import Started, output_up_to, prepare, start, trains_under

from search.ledger.reading import read_records

SPACE = """
corpus: {train: "train.txt", validation: "validation.txt", tokenizer: bytes}
model: {context: 32, d_model: 32, d_head: 16, variant: {vanilla: {layers: "2@1"}}}
training: {tokens: 100k, batch_size: 8, learning_rate: {min: 1e-3, max: 1e-2, log: true}, validation_tokens: 500}
search: {sampler: random, pruner: none, trials: 2, concurrent: 1, seed: 0, trial_timeout: 20s}
"""


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Started]:
    prepare(tmp_path, SPACE)
    process = start(tmp_path)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.faults("a worker is frozen", end="it is killed, and its trial goes on from its checkpoint")
def test_a_frozen_worker_is_killed_and_its_trial_goes_on(search: Started, tmp_path: Path) -> None:
    lines = freeze_after(search, "validated 0 2")
    out, err = search.communicate()
    assert (search.returncode, err) == (0, "")
    assert "message trial 0: no sign of life for 20s; its process is killed" in out
    records = read_records(tmp_path / "out")
    assert [record.state for record in records] == ["complete", "complete"]
    assert "continues after step" in (tmp_path / "out/trials/0000/log.txt").read_text()
    told = [line for line in (*lines, *out.splitlines()) if line.startswith("validated 0")]
    assert told == [f"validated 0 {rung}" for rung in range(6)]


@pytest.mark.faults("Ctrl-C while a worker is frozen", end="the search ends at once, and can be continued")
def test_ctrl_c_does_not_wait_for_a_frozen_worker(search: Started, tmp_path: Path) -> None:
    freeze_after(search, "validated 0 2")
    began = time.monotonic()
    search.send_signal(signal.SIGINT)
    search.communicate()
    assert time.monotonic() - began < 60
    assert read_records(tmp_path / "out")[0].state == "running"


@pytest.mark.faults("a worker is frozen after each restart", times=4, end="its trial is failed, and the search goes on")
def test_a_trial_that_hangs_again_and_again_is_failed(search: Started, tmp_path: Path) -> None:
    for _ in range(4):
        freeze_after(search, "training 0")
    assert search.communicate()[1] == ""
    records = read_records(tmp_path / "out")
    assert [record.state for record in records] == ["failed", "complete"]
    assert records[0].error.startswith("it hung 4 times: no sign of life for 20s")


def freeze_after(process: Started, line: str) -> list[str]:
    """The output up to that line; then the process that trains is stopped."""
    seen = output_up_to(process, line)
    os.kill(trains_under(process.pid), signal.SIGSTOP)
    return seen
