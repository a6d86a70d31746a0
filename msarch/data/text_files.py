"""Documents from local files: text as whole files, jsonl, json and parquet row by row.

Tables are streamed through `datasets`, so no second copy of the text is left on disk; text files need
nothing but Python. Patterns are resolved in a fixed order, so that the same files make the same corpus
wherever they stand.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msarch.errors import UserError, unknown

_TABLES = {".jsonl": "json", ".json": "json", ".ndjson": "json", ".parquet": "parquet"}


def find_files(patterns: Sequence[str], *, base: Path, key: str) -> list[Path]:
    """The files that `patterns` name (``**`` goes through folders), each pattern's in order, no file twice.

    Relative patterns start at `base`. Raises UserError at `key` where a pattern names no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        # not Path.glob, which refuses absolute patterns, nor Path.expanduser, which raises on an unknown user
        names = glob.glob(os.path.expanduser(pattern), root_dir=base, recursive=True)  # noqa: PTH111, PTH207
        paths = (Path(os.path.normpath(base / name)) for name in sorted(names, key=lambda name: Path(name).as_posix()))
        files = [path for path in paths if path.is_file()]
        if not files:
            raise UserError(f"'{pattern}' names no file{_nearest(pattern, base)}", key=key)
        found.update(dict.fromkeys(files))
    return list(found)


def read_documents(files: Iterable[Path], *, column: str, key: str) -> Iterator[str]:
    """The documents of `files`. Raises UserError at `key` with the file that cannot be read as what it seems."""
    for path in files:
        kind = _TABLES.get(path.suffix.lower())
        if kind is None:
            yield _read_text(path, key)
        else:
            yield from _read_table(path, kind, column, key)


def _read_text(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # line ends become "\n": the same text hashes alike anywhere
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at {error.start}); convert it, or name "
            "text, .jsonl or .parquet files only",
            key=key,
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", key=key) from None


def _read_table(path: Path, kind: str, column: str, key: str) -> Iterator[str]:
    import datasets

    try:
        with _unlogged("datasets"):
            rows = datasets.load_dataset(kind, data_files=[glob.escape(str(path))], split="train", streaming=True)
            for number, row in enumerate(rows):
                yield text_of(row, column, f"row {number} of {path}")
    except UserError as error:
        raise UserError(error.message, key=key) from None
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read as {kind}: {reason}", key=key) from None


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


def text_of(row: Mapping[str, Any], column: str, place: str) -> str:
    """The text in `column` of a row; a missing value is empty text. Raises UserError, without a key."""
    if column not in row:
        raise UserError(f"{unknown('column', column, map(str, row))}; in {place}. Choose it with corpus.column")
    value = row[column]
    if value is not None and not isinstance(value, str):
        raise UserError(f"column '{column}' holds {type(value).__name__}, not text, in {place}")
    return value or ""


def _nearest(pattern: str, base: Path) -> str:
    """What stands where the pattern was still right: the nearest name, or a few of those that are there."""
    folder = base
    for part in Path(os.path.expanduser(pattern)).parts:  # noqa: PTH111
        if not os.path.isdir(folder / part):  # noqa: PTH112  (Path.is_dir raises on a name that is too long)
            break
        folder = folder / part
    else:
        return f": {folder} is a folder; name its files, such as '{Path(pattern, '*.txt')}'"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))
    near = get_close_matches(part, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}' in {folder}?"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"; {folder} holds {', '.join(names[:5]) + more if names else 'nothing'}"
