"""A worker that is killed in the middle of a trial: a real search through real Ray, with a real SIGKILL."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.running_search import is_as_if_undisturbed, output_up_to, prepare, start, trains_under

from search.ledger.reading import read_records

SPACE = """
corpus: {train: "train.txt", validation: "validation.txt", tokenizer: bytes}
model: {context: 32, d_model: 32, d_head: 16, variant: {vanilla: {layers: "2@1"}}}
training: {tokens: 200k, batch_size: 8, learning_rate: {min: 1e-3, max: 1e-2, log: true}, validation_tokens: 500}
search: {sampler: random, pruner: none, trials: 2, concurrent: 1, seed: 0}
"""


@pytest.mark.faults("a worker is killed", times=3, end="its trial goes on, and is the same bit for bit")
def test_a_killed_worker_costs_its_trial_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path, SPACE)
    search = start(tmp_path)
    for line in ("validated 0 1", "validated 0 2", "validated 0 3"):
        output_up_to(search, line)
        os.kill(trains_under(search.pid), signal.SIGKILL)
    out, err = search.communicate()
    assert (search.returncode, err) == (0, ""), out
    records = read_records(tmp_path / "out")
    assert [record.state for record in records] == ["complete", "complete"]
    # A raylet reports each lost worker in a thousand characters: none of them come here.
    assert {line.split()[0] for line in out.splitlines()} <= {"training", "validated", "finished", "message"}
    assert (tmp_path / "out/trials/0000/log.txt").read_text().count("continues after step") == 3
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    assert is_as_if_undisturbed(records[0], tmp_path / "out")


@pytest.mark.faults("a worker is killed after each restart", times=4, end="its trial is failed, and the search goes on")
def test_a_trial_whose_process_always_dies_is_failed(tmp_path: Path) -> None:
    prepare(tmp_path, SPACE)
    search = start(tmp_path)
    for _ in range(4):
        output_up_to(search, "training 0")
        os.kill(trains_under(search.pid), signal.SIGKILL)
    out, err = search.communicate()
    assert (search.returncode, err) == (0, ""), out
    records = read_records(tmp_path / "out")
    assert [record.state for record in records] == ["failed", "complete"]
    assert records[0].error.startswith("its process died, and died again after each restart")
