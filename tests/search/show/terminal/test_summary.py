"""The last lines of a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from search.ledger.records import TrialRecord
from search.results.results import Results
from search.show.terminal.summary import summary_lines


def test_paused_trials_are_counted_as_such_and_can_be_resumed(make_records: Callable[..., list[TrialRecord]]) -> None:
    records = make_records(60, seed=4)
    stopped = [replace(each, paused=each.state == "pruned") for each in records]
    lines = summary_lines(Results(Path("results/a"), stopped, ("perplexity", "memory")))
    assert "37 complete, 14 paused" in lines[0] and "pruned" not in lines[0]
    assert lines[1].endswith("resumes the most promising paused trials")
    lines = summary_lines(Results(Path("results/a"), stopped, ("perplexity", "memory")), spent=False)
    assert "14 paused" in lines[0] and not any("resumes" in line for line in lines)
    lines = summary_lines(Results(Path("results/a"), records, ("perplexity", "memory")))
    assert "14 pruned" in lines[0] and not any("resumes" in line for line in lines)
