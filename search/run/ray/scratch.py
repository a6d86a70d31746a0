"""The folder outside the results where Ray keeps its files while a search runs; it is removed at the end.

The results folder has a note, `.scratch`, of where that is, so that the next search removes what a killed one left.
The note may have been copied with the folder, while the search that wrote it still runs. So a scratch folder is
removed only where its own marker names this results folder, and nobody holds its lock, which dies
with its owner.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

NOTE, MARKER, LOCK = ".scratch", ".results-folder", ".lock"
PREFIX = "msarch-"
PATIENCE = 5.0
"""Seconds for the processes of a killed search to end."""
LONGEST_BASE = 30
"""Characters. Ray's sockets are in the scratch folder, and the path of a socket has at most 107 bytes."""


@contextmanager
def scratch_folder(results: Path) -> Iterator[Path]:
    """A new folder for what Ray writes; what a killed search of this results folder left is removed first."""
    note = results / NOTE
    remove_left_over(results)
    base = tempfile.gettempdir() if len(tempfile.gettempdir()) < LONGEST_BASE else "/tmp"
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    try:
        with FileLock(scratch / LOCK):
            (scratch / MARKER).write_text(str(results.resolve()), encoding="utf-8")
            note.unlink(missing_ok=True)  # it may be a link: what that points to is not ours to write
            note.write_text(str(scratch), encoding="utf-8")
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        note.unlink(missing_ok=True)


def remove_left_over(results: Path) -> None:
    """Remove the scratch folder that a killed search of `results` left; any other folder stays."""
    note = results / NOTE
    if note.is_symlink() or not note.is_file():
        return
    scratch = Path(note.read_text(encoding="utf-8", errors="replace").strip())
    if not _is_of(scratch, results):
        return
    try:
        with FileLock(scratch / LOCK, timeout=0):
            _end_processes(scratch)
            shutil.rmtree(scratch, ignore_errors=True)
    except Timeout:
        return  # its search still runs


def _end_processes(scratch: Path) -> None:
    """End what is left of a killed search's Ray: for a minute its agents would make the folder anew."""
    end = time.monotonic() + PATIENCE
    while (left := list(_processes_naming(scratch))) and time.monotonic() < end:
        for process in left:
            with suppress(OSError):  # it has ended, or is somebody else's
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)  # none of them may write once the folder is removed


def _processes_naming(scratch: Path) -> Iterator[int]:
    """Processes of this machine whose command line holds a path in the folder."""
    named = os.fsencode(scratch) + b"/"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if named in (process / "cmdline").read_bytes():
                yield int(process.name)


def _is_of(scratch: Path, results: Path) -> bool:
    """Whether a folder was made by a search of `results`, by name and by the marker inside it."""
    marker = scratch / MARKER
    try:
        if not scratch.name.startswith(PREFIX) or scratch.is_symlink() or marker.is_symlink():
            return False
        return marker.read_text(encoding="utf-8") == str(results.resolve())
    except (OSError, ValueError):  # no marker, no folder, or no path at all
        return False
