"""Documents from local files. `msarch.data.file_formats` says which formats are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msarch.data.damaged_files import what_is_wrong
from msarch.data.document_checks import checked_text
from msarch.data.file_formats import kind_of, open_text
from msarch.data.table_files import read_csv, read_table


def read_documents(files: Iterable[Path], *, column: str, key: str) -> Iterator[str]:
    """The documents of `files`. Raises UserError at `key`: the file, the place in it, and what to do."""
    for path in files:
        try:
            yield from _read(path, column)
        except Exception as error:  # each library and each way to compress raises errors of its own
            raise what_is_wrong(path, kind_of(path), error, column=column).under(key) from error


def _read(path: Path, column: str) -> Iterator[str]:
    kind = kind_of(path)
    if kind == "text":
        with open_text(path) as file:  # line ends become "\n": the same text hashes alike anywhere
            yield checked_text(file.read(), str(path))
    elif kind in ("csv", "tsv"):
        yield from read_csv(path, column, separator="," if kind == "csv" else "\t")
    else:
        yield from read_table(path, column, kind=kind)
