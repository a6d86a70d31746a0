"""A real search in real processes, some of whose trials run out of memory: none of it ends anything else."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from support.changed_trainer import search_with

from search.ledger.reading import read_records

OUT_OF_MEMORY = """
def change(trainer):
    trainer.training_step = failing(trainer.training_step)

def failing(real):
    import torch
    steps = {}
    def training_step(model, *arguments):
        steps[id(model)] = steps.get(id(model), 0) + 1
        if model.config.n_layers == 2 and steps[id(model)] >= 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB. GPU 0 has a total")
        return real(model, *arguments)
    return training_step
"""


@pytest.mark.faults("trials run out of memory", end="they are infeasible, the others complete")
def test_trials_that_run_out_are_infeasible_and_the_others_complete(tmp_path: Path) -> None:
    done = search_with(OUT_OF_MEMORY, tmp_path, 3)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    records = read_records(tmp_path / "out")
    ran_out = [record for record in records if record.candidate.model.n_layers == 2 and record.state != "duplicate"]
    others = [record for record in records if record.candidate.model.n_layers != 2]
    assert ran_out and {record.state for record in ran_out} == {"infeasible"}
    assert others and {record.state for record in others} <= {"complete", "pruned", "duplicate"}
    assert sum(record.state in ("complete", "pruned") for record in records) == 3
    assert all("ran out at 3 GiB or more" in record.violation for record in ran_out)
    rows = {int(row["trial"]): row for row in csv.DictReader((tmp_path / "out" / "trials.csv").open())}
    assert int(rows[ran_out[0].number]["memory_measured_bytes"]) == 3 * 2**30
    assert rows[others[0].number]["memory_measured_bytes"] == ""
    log = tmp_path / "out" / "trials" / f"{ran_out[0].number:04d}" / "log.txt"
    assert "OutOfMemoryError" in log.read_text() and not (log.parent / "checkpoint").exists()
