"""The documents of tables: csv and tsv by Python's own reader, jsonl, json and parquet through `datasets`.

All are streamed, so no second copy of the text is left on disk. `datasets` reads csv through pandas, which guesses
types ("007" becomes 7, "NA" nothing) and drops what stands beyond the last column ("Hello, world" without its
quotes becomes "Hello"); here each cell is text, and a row of another length than the header is refused.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from msarch.data.document_checks import checked_text, choose_column, text_of_row
from msarch.data.file_formats import Kind, open_text
from msarch.errors import UserError, quoted

_LONGEST_CELL = 2**31 - 1
"""Characters; Python's own limit is 131,072, and a cell may hold a book."""
_LOOKED_AT = 100
"""Rows at the start of a csv column that tell numbers from text."""


def read_csv(path: Path, column: str, *, separator: str) -> Iterator[str]:
    """The cells under `column`; the first row names the columns. Raises UserError, and whatever reading raises."""
    csv.field_size_limit(max(_LONGEST_CELL, csv.field_size_limit()))
    with open_text(path, newline="") as file:
        rows = _csv_rows(file, separator, path)
        _, header = next(rows, (0, []))
        if not header:
            return
        index = choose_column(header, column, f"the first line of {path}, which names the columns")
        cells = (checked_text(_with_plain_line_ends(row[index]), f"line {line} of {path}") for line, row in rows)
        start = list(itertools.islice(cells, _LOOKED_AT))
        if any(start) and all(_is_number(cell) for cell in start if cell):
            raise UserError(
                f"column {quoted(column)} of {path} holds numbers, not text. Choose another with corpus.column"
            )
        yield from itertools.chain(start, cells)


def _csv_rows(file: TextIO, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it starts in; all have as many cells as the first."""
    reader = csv.reader(file, delimiter=separator, strict=True)
    length = line = 0
    try:
        for row in reader:
            length = length or len(row)
            if row and len(row) != length:
                raise UserError(
                    f"line {line + 1} of {path} has {len(row)} cells, the first line {length}; put quotes around a "
                    "text that holds a separator or a line end"
                )
            if row:
                yield line + 1, row
            line = reader.line_num  # a cell in quotes may run over several lines
    except csv.Error as error:
        raise UserError(f"the row at line {line + 1} of {path} is not csv: {error}") from None


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_table(path: Path, column: str, *, kind: Kind) -> Iterator[str]:
    """The text in `column` of each row of jsonl, json or parquet. Raises UserError, and whatever reading raises."""
    import datasets

    loader = "parquet" if kind == "parquet" else "json"
    with _unlogged("datasets"):
        try:
            rows = iter(
                datasets.load_dataset(loader, data_files=[glob.escape(str(path))], split="train", streaming=True)
            )
            first = next(rows)
        except StopIteration:  # the json loader's own way to meet a file without rows, too
            return
        for number, row in enumerate(itertools.chain([first], rows), 1):
            yield text_of_row(row, column, f"row {number} of {path}")


@contextlib.contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Keeps a library from logging the error that it also raises: a user's mistake is one line."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
