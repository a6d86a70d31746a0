"""What every document of any source must be: text that can be written as UTF-8, without NUL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msarch.errors import UserError, quoted, unknown

_SHOWN = 40
"""Characters of a column's name in an error: a csv file without a header has whole texts for names."""


def choose_column(columns: Sequence[str], column: str, place: str) -> int:
    """The index of `column` among `columns`. Raises UserError, without a key, where it is missing or stands twice."""
    if column not in columns:
        names = [name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..." for name in columns]
        raise UserError(f"{unknown('column', column, names)}; in {place}. Choose it with corpus.column")
    if columns.count(column) > 1:
        raise UserError(f"column {quoted(column)} stands {columns.count(column)} times in {place}")
    return columns.index(column)


def text_of_row(row: Mapping[str, Any], column: str, place: str) -> str:
    """The document in `column` of a row. Raises UserError, without a key, where it is missing or not text."""
    if column not in row:
        choose_column(list(map(str, row)), column, place)
    value = row[column]
    if value is None:
        raise UserError(f"column {quoted(column)} has no text in {place}; give the row its text, or leave the row out")
    if not isinstance(value, str):
        raise UserError(
            f"column {quoted(column)} holds {type(value).__name__}, not text, in {place}. Choose another with "
            "corpus.column"
        )
    return checked_text(value, place)


def checked_text(text: str, place: str) -> str:
    """The same text. Raises UserError, without a key, where no tokenizer could take it."""
    at = text.find("\0")  # the byte tokenizer's separator; in practice the mark of UTF-16 or of a binary file
    if at >= 0:
        raise UserError(f"there is a NUL character in {place} (character {at + 1}); remove it, or convert the file")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can write half of a pair: "\ud83d" without its second half
        raise UserError(
            f"there is half of a surrogate pair in {place} (character {error.start + 1}), which UTF-8 cannot hold; "
            "remove it"
        ) from None
    return text
