"""What the benchmark of a search's own cost makes of the events of a search and of bare processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.overhead.command import Round, Span, cost_table, start_table
from benchmarks.overhead.processes import Event, tree_seconds

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ninput()"


def events(*happened: tuple[str, float, float]) -> list[Event]:
    return [{"event": event, "wall": wall, "cpu": cpu} for event, wall, cpu in happened]


@pytest.fixture
def made_up() -> Round:
    search = events(
        ("begin", 100, 0),
        ("checking the limits", 101, 1),
        ("starting Ray", 104, 4),
        ("starting workers", 106, 6),
        ("first proposal", 107, 7),
        ("first step", 108, 9),
        ("trained", 120, 20),
        ("trained", 128, 30),
        ("writing tables and report", 129, 28),
        ("end", 130, 29),
    )
    bare = [
        events(("begin", 200, 0), ("first step", 203, 3), ("trained", 222, 13)),
        events(("begin", 200, 0), ("first step", 204, 3), ("trained", 222, 12)),
    ]
    return Round(search, bare)


def test_parts_and_sums_are_those_of_the_events(made_up: Round) -> None:
    assert list(made_up.parts().values()) == [Span(1, 1), Span(3, 3), Span(2, 2), Span(1, 1), Span(1, 2)]
    assert made_up.until_first_step() == (Span(8, 9), Span(4, 6))
    assert made_up.trials() == (Span(20, 21), Span(19, 19))
    assert start_table([made_up]).row_count == 6
    cells = [list(column.cells) for column in cost_table([made_up], trials=4, concurrent=2).columns]
    rows = list(zip(*cells, strict=True))
    assert ("beyond bare, for each trial", "0.50", "0.50") in rows
    assert ("search over bare, in all", "1.217", "1.200") in rows


def test_the_time_of_what_a_process_has_started_counts() -> None:
    before = tree_seconds(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"done\n"
    assert tree_seconds(os.getpid()) - before > 0.25
    child.communicate(b"\n")
