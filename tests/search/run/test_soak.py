"""Five hundred trials of a second each in one results folder, with a kill in the middle."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from support.running_search import Started, output_up_to, prepare, start

from search.ledger.reading import read_records
from search.ledger.records import TRAINED

TRIALS = 500
SPACE = f"""
corpus: {{train: "train.txt", validation: "validation.txt", tokenizer: bytes}}
model: {{context: 16, d_model: {{values: [8, 16]}}, d_head: 8, variant: {{vanilla: {{layers: "1..2@1"}}}}}}
training:
  learning_rate: {{min: 1e-3, max: 1e-2, log: true}}
  tokens: 1k
  batch_size: 8
  validation_tokens: 64
  rungs: [0.5, 1]
search: {{strategy: prune, trials: {TRIALS}, seed: 0}}
"""


@dataclass(frozen=True)
class Used:
    """What the process that drives a search has used: seconds of processors so far, MiB of memory now."""

    seconds: float
    memory: float

    @classmethod
    def by(cls, process: int) -> Used:
        """As Linux counts it."""
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks, pages = int(stat[11]) + int(stat[12]), int(stat[21])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


@pytest.mark.faults("500 trials, and a kill of the driver after 250", end="500 trials, each once, all files in place")
def test_five_hundred_trials_with_a_kill_inside(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    prepare(tmp_path, SPACE)
    began = time.monotonic()
    search = start(tmp_path)
    used = []
    for count in (TRIALS // 10, TRIALS // 5, TRIALS // 5):
        wait_for_trials(search, count)
        used.append(Used.by(search.pid))
    search.kill()
    search.communicate()
    early, late = ((after.seconds - before.seconds) / (TRIALS // 5) for before, after in pairwise(used))
    assert late < 1.5 * early, f"{early:.3f} s a trial for the driver up to trial 150, {late:.3f} s up to trial 250"
    assert used[2].memory - used[1].memory < 20, used
    before = {record.number: record for record in read_records(tmp_path / "out") if record.state in TRAINED}
    assert len(before) >= TRIALS // 2
    search = start(tmp_path)
    out, err = search.communicate()
    assert (search.returncode, err) == (0, ""), out
    driver = f"{early * 1000:.0f} and {late * 1000:.0f} ms of the driver up to trials 150 and 250"
    record_property("measured", f"{(time.monotonic() - began) / TRIALS:.2f} s a trial; {driver}")
    records = read_records(tmp_path / "out")
    assert {number: record for number, record in enumerate(records) if number in before} == before
    assert sum(record.state in TRAINED for record in records) == TRIALS
    assert set(Counter(record.number for record in records).values()) == {1}
    assert not [record for record in records if record.state in ("running", "failed")]
    for record in records:
        folder = tmp_path / "out" / "trials" / f"{record.number:04d}"
        assert not (folder / "checkpoint").exists()
        assert record.state != "complete" or (folder / "model.safetensors").is_file()
    assert not (tmp_path / "out" / ".scratch").exists()


def wait_for_trials(search: Started, count: int) -> None:
    """Until so many trials have ended."""
    for _ in range(count):
        output_up_to(search, "finished")
