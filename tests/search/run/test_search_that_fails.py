"""A real search in real processes, all of whose trials fail: it stops early, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.changed_trainer import search_with
from support.command_line import fill, msarch

from search.ledger.reading import read_records

FAILING = """
def change(trainer):
    def training_step(*arguments):
        raise RuntimeError("the disk of the corpus is gone")
    trainer.training_step = training_step
"""


@pytest.mark.faults("every trial fails", end="the search stops after five and says why")
def test_a_search_whose_trials_all_fail_stops_after_five(tmp_path: Path) -> None:
    done = search_with(FAILING, tmp_path, 9)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "the last 5 trials that ended all failed in the same way" in done.stderr
    assert "RuntimeError: the disk of the corpus is gone" in done.stderr
    assert "continue with: msarch search space.yaml --out out --trials 9" in done.stderr
    trained = [record for record in read_records(tmp_path / "out") if record.state not in ("infeasible", "duplicate")]
    assert [record.state for record in trained].count("failed") == 5
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["prune", "front"])
def test_a_search_that_admits_nothing_ends_with_an_error(strategy: str, tmp_path: Path) -> None:
    fill(tmp_path)
    strategies = f"search={{strategy: {strategy}, trials: 4}}"
    done = msarch("search", "space.yaml", "--set", strategies, "--set", "constraints=[n_layers <= 0]", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "constraints: nothing was trained" in done.stderr and "'n_layers <= 0'" in done.stderr
    assert (tmp_path / "results" / "space" / "report.html").exists()
