"""Finds what is wrong with a file that could not be read: the byte, the line, and what to do about it.

Called after a reader has failed, so it may be slow: it reads the file again, line by line. The readers' own
messages name rows of a chunk or positions in a buffer, or give no place.
"""

from __future__ import annotations

import codecs
import json
import lzma
import zlib
from pathlib import Path

from msarch.data.document_checks import text_of_row
from msarch.data.file_formats import READ, Kind, is_compressed, open_bytes, open_text
from msarch.errors import UserError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BINARY = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"%PDF")
"""How gzip, zstd, zip (docx, epub) and pdf files begin, which need not hold a NUL byte near their start."""


def what_is_wrong(path: Path, kind: Kind, error: Exception, *, column: str) -> UserError:
    """The error to raise, without a key, for a file of `kind` on which its reader raised `error`."""
    try:
        found = _find(path, kind, error, column)
    except (EOFError, zlib.error, lzma.LZMAError) as damage:
        return _cannot_decompress(path, damage)
    except OSError as failure:
        if failure.errno is None and is_compressed(path):  # what gzip and bz2 raise for bytes that are not theirs
            return _cannot_decompress(path, failure)
        return UserError(f"{path} cannot be read: {failure.strerror or failure}")
    if found is None and isinstance(error, UserError):
        return error
    return found or UserError(f"{path} cannot be read as {kind}: {_first_line(error)}")


def _find(path: Path, kind: Kind, error: Exception, column: str) -> UserError | None:
    if kind == "parquet":
        open_bytes(path).close()  # raises where the file cannot be opened
        return None if isinstance(error, UserError) else UserError(f"{path} is damaged, or is not a parquet file")
    wrong = _find_bad_encoding(path)
    if wrong is None and kind == "jsonl":
        wrong = _find_bad_line(path, column)
    if wrong is None and kind == "json":
        wrong = _find_bad_json(path, column)
    return wrong


def _find_bad_encoding(path: Path) -> UserError | None:
    """Where the file stops being UTF-8, if it does."""
    before = 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):  # no character of several bytes holds the byte of a line end
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return _not_utf_8(path, number, line[error.start], before + error.start)
            before += len(line)
    return None


def _not_utf_8(path: Path, line: int, byte: int, at: int) -> UserError:
    with open_bytes(path) as file:
        start = file.read(8192)
    if start.startswith(_UTF_16):
        return UserError(
            f"{path} is UTF-16, not UTF-8 text (byte {byte:#04x} at {at}); convert it: iconv -f UTF-16 -t UTF-8 OLD > "
            "NEW"
        )
    if b"\0" in start or start.startswith(_BINARY):
        return UserError(f"{path} is not text (byte {byte:#04x} at {at}). Files that are read: {READ}")
    return UserError(
        f"{path} is not UTF-8 text: byte {byte:#04x} at {at}, in line {line}. Convert it; if it is Latin-1: iconv -f "
        "LATIN1 -t UTF-8 OLD > NEW"
    )


def _find_bad_json(path: Path, column: str) -> UserError | None:
    """Where the one value of a file breaks off, or the first bad line of a file that holds several."""
    with open_text(path) as file:
        text = file.read()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # more than one value: a row a line
            return _find_bad_line(path, column)
        return _not_json(path, error.lineno, error)
    except RecursionError:
        return UserError(f"{path} is nested too deeply")
    return None


def _find_bad_line(path: Path, column: str) -> UserError | None:
    """The first line that is not an object with text in its column."""
    is_first = True  # where the first row lacks the column its name is wrong, in a later one the text is missing
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.strip())
            except json.JSONDecodeError as error:
                return _not_json(path, number, error)
            except RecursionError:
                return UserError(f"line {number} of {path} is nested too deeply")
            if not isinstance(row, dict):
                return UserError(f'line {number} of {path} is not a row such as {{"{column}": "some text"}}')
            try:
                text_of_row(row if is_first else {column: None, **row}, column, f"line {number} of {path}")
            except UserError as error:
                return error
            is_first = False
    return None


def _not_json(path: Path, line: int, error: json.JSONDecodeError) -> UserError:
    reason = error.msg.removesuffix(" at").removesuffix(" starting")
    return UserError(f"line {line} of {path} is not JSON: {reason} (character {error.colno})")


def _cannot_decompress(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be decompressed: {_first_line(error)}. Is it whole, and is its ending right?")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
