"""Programs that print events, and the time that a program and all it has started have taken.

Seconds of processors are the figure to trust on a machine with other work.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Event = dict[str, Any]
"""What happened (`event`), when (`wall`, seconds since the epoch), after how many seconds of processors (`cpu`)."""
_TICKS = os.sysconf("SC_CLK_TCK")


def run_all(commands: Sequence[Sequence[str]], cwd: Path, **environment: str) -> list[list[Event]]:
    """Run programs side by side until all have ended; the events that each has printed.

    Raises subprocess.CalledProcessError where one fails.
    """
    running = [
        subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [process.communicate()[0] for process in running]
    for process in running:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
    return [[json.loads(line) for line in text.splitlines()] for text in said]


def tree_seconds(root: int) -> float:
    """Seconds of processors that a process and its living descendants have taken so far."""
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
