"""Files that appear whole or not at all: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives the path of a temporary file beside `path`, to be written inside; it then takes the name `path`.

    Where writing raises, what stood at `path` stays and the temporary file is removed. Folders that are missing are
    made. Raises OSError with the name `path`, also where a full disk only shows once the data is on its way to it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The dot keeps it out of listings and patterns, the suffix tells libraries the format. Process and random digits
    # keep writers apart, on other machines of a shared file system too.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        _name_after(error, path, temporary)
        raise
    finally:
        temporary.unlink(missing_ok=True)  # gone already where it was renamed


def _name_after(error: OSError, path: Path, temporary: Path) -> None:
    """Let an error that names the temporary file, or no file as on a full disk, name `path`."""
    names = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if name is not None]
    if error.errno is not None and (not names or temporary in names):
        error.filename = str(path)
        if error.filename2 is not None:
            del error.filename2  # set to None it would be printed


def remove_left_over(folder: Path) -> None:
    """Remove the temporary files in `folder` whose writers were killed; those of processes that live on stay."""
    for path in folder.glob(".*"):
        found = _TEMPORARY.fullmatch(path.name)
        if found and path.is_file() and not path.is_symlink() and not _lives(int(found[1])):
            path.unlink(missing_ok=True)


_TEMPORARY = re.compile(r"\..+\.([0-9]{1,9})-[0-9a-f]{8}(?:\.\w+)?")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _flush_to_disk(path: Path) -> None:
    """Wait until the content is on disk: after a power cut the new name must not lead to an empty file."""
    with path.open("rb+") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())
