"""Which files are read: the ending of a file's name says what it holds and how it is compressed.

====================================  =======================================================
`.csv`, `.tsv`                        a document a row, in the cell under the column's name
`.jsonl`, `.ndjson`                   a document a line, under the column's name in its JSON object
`.json`                               the same, or one list of such objects
`.parquet`                            a document a row, in the column
any other                             one document: the whole file, which has to be UTF-8 text
====================================  =======================================================

All but parquet, which compresses itself, may end in `.gz`, `.bz2` or `.xz` on top: ``books.jsonl.gz``.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal, cast

Kind = Literal["text", "csv", "tsv", "jsonl", "json", "parquet"]

_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}
_OPENERS: dict[str, Callable[[Path], object]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

READ = "text, .csv, .tsv, .json, .jsonl, .ndjson and .parquet files, all but parquet also as .gz, .bz2 or .xz"
"""What is read, as an error message lists it."""


def kind_of(path: Path) -> Kind:
    """What the file holds, by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _OPENERS:
        suffixes.pop()
    return _KINDS.get(suffixes[-1], "text") if suffixes else "text"


def is_compressed(path: Path) -> bool:
    """Whether the name says that the file is compressed."""
    return path.suffix.lower() in _OPENERS


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, decompressed while reading, so damage may only show later."""
    opener = _OPENERS.get(path.suffix.lower())
    return cast("BinaryIO", opener(path)) if opener else path.open("rb")


def open_text(path: Path, *, newline: str | None = None) -> io.TextIOWrapper:
    """The file's characters, from UTF-8 with or without a byte-order mark; `newline` as in `open`."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline=newline)
