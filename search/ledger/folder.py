"""The folder of one search: where its files are, its lock, and a check that no link in it points outside.

One process writes at a time. It holds a kernel lock on the folder, which is freed when its owner dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msarch.atomic_files import remove_left_over
from msarch.errors import UserError

JOURNAL, LOCK = "study.journal", ".lock"
CONFIG = "config.yaml"
"""In the folder of one model, be it a trial's, or one of `msarch train` or `msarch export`."""


def trial_folder(folder: Path, number: int) -> Path:
    """Where a trial keeps its files: ``trials/0007``."""
    return folder / "trials" / f"{number:04d}"


def make_folder(folder: Path) -> None:
    """Raises UserError where a file stands at its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder} is not a folder: a file has that name; choose another one") from None


BUSY = "another search is running in {}; wait for it to end, or choose another folder with --out"


@contextmanager
def locked(folder: Path, busy: str = BUSY) -> Iterator[None]:
    """Hold a results folder for one search; files that killed writers left half written are removed.

    Args:
        busy: what the error says, with a place for the folder.

    Raises:
        UserError: another search holds it, a file has its name, or something in it is a link to a place outside.
    """
    from filelock import FileLock, Timeout

    make_folder(folder)
    refuse_links(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(busy.format(folder)) from None
    try:
        for inside in (folder, *folder.glob("trials/*"), *folder.glob("trials/*/checkpoint")):
            remove_left_over(inside)
        yield
    finally:
        lock.release()


def refuse_links(folder: Path) -> None:
    """Check that no file that a search writes, cuts or deletes is a link to a place outside the folder.

    Raises:
        UserError: one is; the message names it.
    """
    inside = folder.resolve()
    for path in [*folder.glob("*"), *folder.glob("trials/*"), *folder.glob("trials/*/*")]:
        # Optuna's own lock is a link too. It is removed when the journal is opened, never followed.
        if path.is_symlink() and not path.name.startswith(f"{JOURNAL}.lock"):
            target = path.resolve()
            if not target.is_relative_to(inside):
                raise UserError(
                    f"is a link to {target}, outside the results folder: a search would write or delete there; "
                    "put the file itself in its place",
                    file=str(path),
                )
