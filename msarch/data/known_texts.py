"""Remembers what a pass over text files found, so that files which have not changed are not read again.

A file counts as unchanged while its path, size and modification time are the same, as in `make` and git. As in
git, a file modified within the last seconds is not trusted: a second change might leave the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from msarch.data.cache_folder import cache_base, write_cached
from msarch.data.survey import SplitSize, Survey
from msarch.errors import UserError

_FORMAT = 3
"""Part of every key: raise it when documents are read, split or hashed differently."""
_SETTLED_NS = 3 * 10**9
"""A file younger than this may change again and keep its modification time."""


@dataclass(frozen=True, slots=True)
class FileStates:
    """The current state of every file of a corpus.

    Attributes:
        key: hash of their paths, sizes and times of change; empty where there are none, or one is too young.
        files: of each split.
        column: that is read.
    """

    key: str
    files: Mapping[str, Sequence[Path]]
    column: str

    @classmethod
    def of(cls, files: Mapping[str, Sequence[Path]], *, column: str) -> FileStates:
        """The state of `files`, by split."""
        newest, digest = 0, hashlib.sha256(f"{_FORMAT} {column}".encode())
        for split, paths in files.items():
            digest.update(f"\n{split}".encode())
            for path in paths:
                with contextlib.suppress(OSError):  # a file that has just gone is the reader's error to tell
                    status = path.stat()
                    newest = max(newest, status.st_mtime_ns)
                    digest.update(f"\n{status.st_size} {status.st_mtime_ns} {path}".encode("utf-8", "surrogateescape"))
        settled = bool(files) and newest < time.time_ns() - _SETTLED_NS
        return cls(digest.hexdigest()[:24] if settled else "", files, column)


def recall(states: FileStates) -> Survey | None:
    """What was found in these very files, or None."""
    if not states.key:
        return None
    try:
        kept = json.loads(_place(states).read_text(encoding="utf-8"))
        sizes = {name: SplitSize(**size) for name, size in kept["sizes"].items()}
        return Survey(content=str(kept["content"]), sizes=sizes, shared=tuple(map(str, kept["shared"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing or damaged: the text is read again
        return None


def remember(states: FileStates, found: Survey) -> None:
    """Keeps what was found, unless a file has changed meanwhile."""
    if not states.key or FileStates.of(states.files, column=states.column).key != states.key:
        return
    with contextlib.suppress(UserError):  # a shared cache may be read-only: the text is read again next time
        write_cached(_place(states), json.dumps(asdict(found)).encode())


def _place(states: FileStates) -> Path:
    return cache_base() / f"text-{states.key}.json"
