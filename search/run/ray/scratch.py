"""The folder outside the results where Ray keeps its files, and its removal where a killed search left one.

A note in the results folder says where it is, and a marker in it says which results folder made it. Only where both
agree, and its owner holds its lock no longer, is it removed: a results folder that was copied has a copy of the note,
which names the scratch folder of the search it was copied from.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from msarch.atomic_files import atomic_write

NOTE, MARKER, LOCK, PREFIX = ".scratch", "owner", "owner.lock", "msarch-"


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder for what Ray writes; what a killed search into this results folder left is removed first."""
    note = folder / NOTE
    _remove_left_over(note, folder)
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_base()))
    try:
        with FileLock(scratch / LOCK):  # the kernel frees it when we die
            (scratch / MARKER).write_text(str(folder.resolve()), encoding="utf-8")
            with atomic_write(note) as aside:
                aside.write_text(str(scratch), encoding="utf-8")
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        note.unlink(missing_ok=True)


def _base() -> Path:
    """Ray's sockets are in there, and the path of a socket has at most 107 bytes."""
    return Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < 30 else "/tmp")


def _remove_left_over(note: Path, folder: Path) -> None:
    if not note.is_file():
        return
    left = Path(note.read_text(encoding="utf-8", errors="replace"))
    marker = left / MARKER
    made_by_us = left.parent == _base() and left.name.startswith(PREFIX) and not left.is_symlink()
    if not made_by_us or not marker.is_file() or marker.read_text(encoding="utf-8") != str(folder.resolve()):
        return
    try:
        with FileLock(left / LOCK, timeout=0):
            shutil.rmtree(left, ignore_errors=True)
    except Timeout:
        pass  # a search uses it still, perhaps one into a folder that was moved
