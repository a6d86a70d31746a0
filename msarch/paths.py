"""Paths that a user wrote, and files that may be a stranger's.

No question about a path raises, whatever its name; a device, a pipe or a huge file is refused before it is read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from msarch.errors import UserError
from msarch.units import format_bytes


def exists(path: Path | str) -> bool:
    """Whether something is at `path`; False for a name that no file system would accept."""
    return os.path.exists(path)  # noqa: PTH110  # Path.exists raises on a name that is too long


def is_file(path: Path | str) -> bool:
    """Whether a file is at `path`; False for a name that no file system would accept."""
    return os.path.isfile(path)  # noqa: PTH113  # so does Path.is_file


def is_folder(path: Path | str) -> bool:
    """Whether a folder is at `path`; False for a name that no file system would accept."""
    return os.path.isdir(path)  # noqa: PTH112  # so does Path.is_dir


def read_regular(path: Path, *, most: int, kind: str = "a file") -> bytes:
    """The content of an ordinary file of at most `most` bytes; errors call it `kind`.

    Raises UserError with the file's name, and OSError.
    """
    if is_folder(path):
        raise UserError(f"is a folder, not {kind}", file=str(path))
    # Without O_NONBLOCK, opening a pipe waits for who writes to it.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"is a device or a pipe, not {kind}", file=str(path))
        content = file.read(most + 1) if found.st_size <= most else b""
        if found.st_size > most or len(content) > most:  # a file of /proc has no size
            raise UserError(f"is too large ({format_bytes(most)} at most)", file=str(path))
        return content
