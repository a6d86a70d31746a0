"""What `make test-faults` prints at its end: what was done to a search, how often, and how it ended.

A test says so itself: ``@pytest.mark.faults("a worker is killed", times=3, end="its trial goes on")``. What it has
measured it adds by ``record_property("measured", "0.4 s a trial")``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

FAULT, MEASURED = "fault", "measured"


@dataclass
class Row:
    """One line: all tests that do the same."""

    what: str
    end: str
    times: int = 0
    seconds: float = 0.0
    outcomes: set[str] = field(default_factory=set)
    measured: list[str] = field(default_factory=list)

    def add(self, report: pytest.TestReport, times: int) -> None:
        """One test of this row has run."""
        self.times += times
        self.outcomes.add("passed" if report.outcome == "passed" else _why(report))
        self.measured += [str(value) for name, value in report.user_properties if name == MEASURED]

    @property
    def ended(self) -> str:
        """What the tests claim if they hold; else what went wrong."""
        wrong = sorted(self.outcomes - {"passed"})
        return "; ".join(wrong or [self.end, *self.measured])


def describe(items: Iterable[pytest.Item]) -> None:
    """Put what a test does into its reports, where the summary finds it, from other processes too."""
    for item in items:
        marker = item.get_closest_marker("faults")
        if marker is not None:
            assert marker.args and "end" in marker.kwargs, f"{item.nodeid}: say what is done, and how it ends"
            item.user_properties.append((FAULT, {"what": marker.args[0], "times": 1, **marker.kwargs}))


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The lines of the table; none where no such test has run."""
    rows: dict[str, Row] = {}
    for report in reports:
        fault: Any = dict(report.user_properties).get(FAULT)
        if fault is None:
            continue
        row = rows.setdefault(fault["what"], Row(fault["what"], fault["end"]))
        row.seconds += report.duration
        if report.when == "call" or report.outcome != "passed":
            row.add(report, fault["times"])
    if not rows:
        return []
    cells = [("what is done", "times", "seconds", "how it ends")]
    cells += [(row.what, f"{row.times}", f"{row.seconds:.0f}", row.ended) for row in rows.values()]
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    return [
        f"{what:<{widths[0]}}  {times:>{widths[1]}}  {seconds:>{widths[2]}}  {end}"
        for what, times, seconds, end in cells
    ]


def _why(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return f"not tried: {report.longrepr[2].removeprefix('Skipped: ')}"
    return f"FAILED in {report.when}: {report.nodeid.rpartition('::')[2]}"
