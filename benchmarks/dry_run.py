"""Does a search take as long as its dry run says? Plans three small spaces, searches them, and compares.

    python -m benchmarks.dry_run
    python -m benchmarks.dry_run --tokens 100k --trials 12 --concurrent 1

Both run as a user runs them, as separate processes, and are timed from outside. The table shows the machine's load for
each, since a plan cannot know what other processes will take.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from msarch.units import format_seconds
from search.ledger.reading import read_records

SPACES: dict[str, tuple[str, ...]] = {
    "quickstart": (),
    "hourglass": ("corpus.source=python-docs", "corpus.tokenizer=bytes"),
    "retina": ("corpus.source=python-docs", "corpus.tokenizer=bytes"),
}
"""Spaces that ship, and what makes each of them run without a text of one's own."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A search and its plan."""

    planned: tuple[float, float]
    actual: float
    states: Counter[str]
    load: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Whether the plan was right."""
        low, high = self.planned
        if low <= self.actual <= high:
            return "inside"
        if self.actual < low:
            return f"{low / self.actual:.1f} times shorter"
        return f"{self.actual / high:.1f} times longer"


def main() -> None:
    """Plan and search each space, and print one table."""
    parser = argparse.ArgumentParser(description="Predicted and actual time of small searches.")
    parser.add_argument("spaces", nargs="*", default=[*SPACES], metavar="SPACE", help=f"of {', '.join(SPACES)}")
    parser.add_argument("--tokens", default="100k", help="training tokens a trial")
    parser.add_argument("--trials", default="12")
    parser.add_argument("--concurrent", default="2")
    arguments = parser.parse_args()
    console = Console()
    table = Table("space", "trials", "predicted", "took", "", "load before / after")
    for name in arguments.spaces:
        with console.status(f"{name}: planning and searching"):
            outcome = run(name, arguments.tokens, arguments.trials, arguments.concurrent)
        states = ", ".join(f"{count} {state}" for state, count in outcome.states.most_common())
        low, high = map(format_seconds, outcome.planned)
        load = " / ".join(f"{value:.1f}" for value in outcome.load)
        table.add_row(name, states, f"{low} to {high}", format_seconds(outcome.actual), outcome.verdict, load)
    console.print(table)


def run(name: str, tokens: str, trials: str, concurrent: str) -> Outcome:
    """Plan one space, then search it."""
    settings = (*SPACES[name], f"training.tokens={tokens}", "training.validation_tokens=2048")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "search.cli.app", "search", name, "--trials", trials]
        command += ["--concurrent", concurrent, "--out", str(Path(folder) / "out")]
        command += [word for setting in settings for word in ("--set", setting)]
        before = os.getloadavg()[0]
        planned = _span(_output([*command, "--dry-run"]))
        began = time.monotonic()
        _output(command)
        actual = time.monotonic() - began
        states = Counter[str](record.state for record in read_records(Path(folder) / "out"))
    return Outcome(planned=planned, actual=actual, states=states, load=(before, os.getloadavg()[0]))


def _output(command: list[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _span(text: str) -> tuple[float, float]:
    """Both ends of the line `time  1m05s to 3m20s in all`."""
    found = re.search(r"^\s*time\s+(\S+)(?: to (\S+))? in all", text, re.MULTILINE)
    assert found is not None, text
    return _seconds(found[1]), _seconds(found[2] or found[1])


def _seconds(text: str) -> float:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text))


if __name__ == "__main__":
    main()
