"""Time of a program and of all that it starts: seconds on the clock, and seconds of processors.

On a machine with other work the second figure is the one to trust.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and seconds of processors."""

    wall: float
    cpu: float


def adopt_orphans() -> None:
    """Processes whose parent has died become children of this one (Linux), so that their time is counted."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run_all(commands: Sequence[Sequence[str]], cwd: Path, **environment: str) -> tuple[Spent, list[str]]:
    """Run programs side by side until all have ended; what they took with all their descendants, and what they printed.

    Raises subprocess.CalledProcessError where one fails.
    """
    before, began = _reaped(), time.time()
    running = [
        subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [process.communicate()[0] for process in running]
    wall = time.time() - began
    for process in running:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
    _reap()
    return Spent(wall, _reaped() - before), said


def tree_seconds(root: int) -> float:
    """Seconds of processors that a process and its descendants have taken so far, ended ones included."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stats[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
    tree, grown = {root}, True
    while grown:
        found = tree | {process for process, words in stats.items() if int(words[1]) in tree}
        tree, grown = found, found != tree
    return sum(int(tick) for process in tree & stats.keys() for tick in stats[process][11:15]) / _TICKS


def _reap() -> None:
    """Wait for orphans: Ray's agents end some seconds after the search."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _reaped() -> float:
    times = os.times()
    return times.children_user + times.children_system
