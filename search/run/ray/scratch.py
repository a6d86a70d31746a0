"""The folder outside the results where Ray keeps its files while a search runs; it is removed at the end.

The results folder has a note, `.scratch`, of where that is, so that the next search removes what a killed one left.
The note may have been copied with the folder, while the search that wrote it still runs. So a scratch folder is
removed only where its own marker names this results folder, and nobody holds its lock, which dies
with its owner.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NOTE, MARKER, LOCK = ".scratch", ".results-folder", ".lock"
PREFIX = "msarch-"
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
            shutil.rmtree(scratch, ignore_errors=True)
    except Timeout:
        return  # its search still runs


def _is_of(scratch: Path, results: Path) -> bool:
    """Whether a folder was made by a search of `results`, by name and by the marker inside it."""
    marker = scratch / MARKER
    try:
        if not scratch.name.startswith(PREFIX) or scratch.is_symlink() or marker.is_symlink():
            return False
        return marker.read_text(encoding="utf-8") == str(results.resolve())
    except (OSError, ValueError):  # no marker, no folder, or no path at all
        return False
