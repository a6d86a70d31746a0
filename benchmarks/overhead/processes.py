"""Programs that print events, and the time that a program and all it has started have taken.

Seconds of processors are the figure to trust on a machine with other work.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

Event = dict[str, Any]
"""What happened (`event`), when (`wall`, seconds since the epoch), after how many seconds of processors (`cpu`)."""


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
    process = psutil.Process(root)
    seconds = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            times = one.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
