"""Files that a command writes where its user says: the folder has to be there, and each problem is one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msarch.errors import UserError
from msarch.paths import is_folder
from search.show.terminal.console import print_line


def check_folder(path: Path | None) -> None:
    """Raises UserError where the folder of an output file is missing: a name that was misspelt must not make one."""
    if path is not None and not is_folder(path.parent):
        raise UserError(f"cannot write {path}: there is no folder {path.parent}; make it first, or name another place")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Inside, `path` is written; then its user is told. Raises UserError where that fails."""
    check_folder(path)
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; name another place, see --help") from None
    print_line(f"wrote {path}", error=True)
