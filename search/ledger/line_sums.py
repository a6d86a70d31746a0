"""A checksum for each line of the journal, in a file beside it: it shows what was cut off or altered, and where.

`study.journal.sums` has one line for each line of the journal, in the same order: its CRC-32 in hexadecimal. A sum is
written right after its line. So a crash between the two leaves the journal one line longer than its sums (more, after
a power cut), and never shorter. This guards against accidents. It does not stop somebody who alters both files.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages.journal import JournalFileBackend

from msarch.errors import UserError
from msarch.paths import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUM = re.compile(rb"[0-9a-f]{8}")
_SIZE = 9  # bytes of a sum with the end of its line
LARGEST = 2**30
"""Bytes of a journal, or of its sums, that are read: a search of 100,000 trials writes fewer."""


def sums_path(journal: Path) -> Path:
    """Where the sums of a journal's lines are."""
    return journal.with_name(f"{journal.name}.sums")


def line_sum(line: bytes) -> bytes:
    """The checksum of one line of a journal, its line end included."""
    return b"%08x" % zlib.crc32(line)


def read_sums(journal: Path) -> list[bytes] | None:
    """The sums of a journal's lines; None where it has none. A last one that a crash cut short is left out.

    Raises:
        UserError: the file of the sums is itself damaged.
    """
    path = sums_path(journal)
    try:
        found = read_regular(path, most=LARGEST).split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    except UserError as error:
        raise UserError(f"{error.message}; delete it", file=str(path)) from None
    for number, text in enumerate(found, start=1):
        if not _SUM.fullmatch(text):
            raise UserError(
                "is damaged: this line is not a checksum; restore the file from a copy, or empty it (trials are then "
                "checked by their own checksums alone)",
                file=str(path),
                line=number,
            )
    return found


def cut_sums(journal: Path, count: int) -> None:
    """Keep the first `count` sums; drop what a crash left after them."""
    path = sums_path(journal)
    if path.exists() and path.stat().st_size > count * _SIZE:
        with path.open("r+b") as file:
            file.truncate(count * _SIZE)


class SummedJournal(JournalFileBackend):
    """Optuna's journal file, with the sum of each line written after it; lines that have none yet get theirs first."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        summed = len(read_sums(journal) or [])
        cut_sums(journal, summed)  # a sum that was cut short would be glued to the next
        with journal.open("rb") as file:
            self._end = sum(len(file.readline()) for _ in range(summed))
        self._add_sums()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append operations, and then their sums."""
        super().append_logs(logs)
        self._add_sums()

    def _add_sums(self) -> None:
        """Sums of the lines as they are in the file, so that it does not matter how Optuna spells them."""
        with self._journal.open("rb") as file:
            file.seek(self._end)
            lines = file.readlines()
        self._write(lines)
        self._end += sum(map(len, lines))

    def _write(self, lines: Iterable[bytes]) -> None:
        with sums_path(self._journal).open("ab") as file:
            file.write(b"".join(line_sum(line) + b"\n" for line in lines))
