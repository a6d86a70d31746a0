"""What limits how far results can be relied on is said by every command that shows them, once, on standard error."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import run_command

from search.cli.search import _show_outcome
from search.run.budget import Budget
from search.space.load import load_space

OLD = Path(__file__).parents[2] / "data" / "before_checksums"
NOTE = "note: recorded by an earlier version, without checksums: damage to its journal would not be noticed\n"


@pytest.mark.parametrize(
    "arguments",
    [["pareto", str(OLD)], ["profile", str(OLD)], ["profile", f"{OLD}:1", "--against", f"{OLD}:0", "--format", "json"]],
    ids=["pareto", "profile", "against"],
)
def test_a_command_that_reads_results_prints_their_notes(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run_command(arguments, monkeypatch, capfd)
    assert (status, err) == (0, NOTE) and "note:" not in out


def test_the_outcome_of_a_search_comes_with_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    space = load_space("quickstart")
    _show_outcome(OLD, Budget.of(space), space)
    out, err = capsys.readouterr()
    assert err == NOTE and "3 complete" in out
