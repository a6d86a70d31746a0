"""A real search, some of whose candidates need more memory than this machine has: none of them is ever started."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import msarch
from support.running_search import prepare

from search.ledger.reading import read_records

SPACE = """
corpus: {train: "train.txt", validation: "validation.txt", tokenizer: bytes}
model: {context: 16, d_model: {values: [16, 65536]}, d_head: 16, variant: {vanilla: {layers: "1..2@1"}}}
training: {tokens: 1k, batch_size: 8, learning_rate: 1e-3, validation_tokens: 64, rungs: [0.5, 1]}
search: {sampler: grid, pruner: none, trials: 9}
"""


@pytest.mark.faults("candidates need more memory than is free", end="they are infeasible, the others complete")
def test_what_this_machine_cannot_hold_is_not_started(tmp_path: Path) -> None:
    prepare(tmp_path, SPACE)
    done = msarch("search", "space.yaml", "--out", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    records = read_records(tmp_path / "out")
    states = [(record.candidate.model.d_model, record.state) for record in records]
    assert sorted(states) == [(16, "complete")] * 2 + [(65536, "infeasible")] * 2
    refused = [record for record in records if record.state == "infeasible"]
    assert all(record.violation.startswith("free memory: ") and not record.curve for record in refused)
    assert not any((tmp_path / "out" / "trials" / f"{record.number:04d}").exists() for record in refused)
