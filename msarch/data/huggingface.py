"""Documents from a Hugging Face data set, by name, configuration and splits."""

from __future__ import annotations

import contextlib
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from msarch.config.corpus import CorpusConfig
from msarch.data.document_checks import choose_column, text_of_row
from msarch.errors import UserError, quoted
from msarch.paths import is_folder

_KEY = "corpus.huggingface"


def load_splits(config: CorpusConfig) -> dict[str, list[Any]]:
    """Tables of the splits that the configuration names, or that the data set has under the usual names.

    Always with "train"; a split that does not exist is left out where it was not asked for. Raises UserError.
    """
    import datasets

    named = {"train": config.train, "validation": config.validation, "test": config.test}
    try:
        with _offline_unless_hub_answers(config.name):
            every = datasets.load_dataset(config.name, config.config or None)
            return {
                split: [_table(config, every, name, f"corpus.{split}") for name in names or (split,)]
                for split, names in named.items()
                if names or split == "train" or split in every
            }
    except UserError:
        raise
    except Exception as error:  # whatever the library and its readers raise about files and places that are not ours
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"data set {quoted(config.name)} cannot be loaded: {reason.rstrip('.')}. {_remedy(config, error)}", key=_KEY
        ) from error


def _remedy(config: CorpusConfig, error: Exception) -> str:
    if isinstance(error, RuntimeError) and "scripts" in str(error):
        return (
            "Save its rows as parquet or jsonl files, with a version of datasets below 4, and name them in corpus.train"
        )
    if is_folder(config.name):
        return "Check its files"
    return "Check its name and configuration, and the network; a data set that was loaded once works without"


def _table(config: CorpusConfig, every: Any, name: str, key: str) -> Any:
    import datasets

    if name in every:
        return every[name]
    if "[" in name:  # part of a split, such as train[:10%]
        return datasets.load_dataset(config.name, config.config or None, split=name)
    raise UserError(f"data set {quoted(config.name)} has no split {quoted(name)}. Legal: {', '.join(every)}", key=key)


def read_tables(tables: list[Any], *, column: str, key: str) -> Iterator[str]:
    """The text of every row, empty where it is null. Raises UserError at `key`: no such column, or it is not text."""
    for table in tables:
        try:
            yield from _texts(table, column)
        except UserError as error:
            raise error.under(key) from None


def _texts(table: Any, column: str) -> Iterator[str]:
    if column not in table.column_names:
        choose_column(table.column_names, column, f"split {table.split}")
    for number, row in enumerate(table.select_columns([column]), 1):  # pictures and sounds beside it are not decoded
        yield "" if row[column] is None else text_of_row(row, column, f"row {number} of split {table.split}")


def missing_text(tables: list[Any], *, column: str, key: str) -> str:
    """A sentence about the rows whose text is null, which are left out; empty where there are none."""
    missing = sum(table.data.column(column).null_count for table in tables if column in table.column_names)
    rows = sum(map(len, tables))
    return (
        f"{key}: {missing:,} of {rows:,} rows have no text in column {quoted(column)} and are left out"
        if missing
        else ""
    )


@contextlib.contextmanager
def _offline_unless_hub_answers(name: str) -> Iterator[None]:
    """Acts as HF_HUB_OFFLINE=1 while the hub does not answer: cached data sets load, others fail at once."""
    import datasets
    import huggingface_hub

    constants: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [constant.HF_HUB_OFFLINE for constant in constants]
    if not is_folder(name) and not _hub_answers():
        for constant in constants:
            constant.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for constant, offline in zip(constants, before, strict=True):
            constant.HF_HUB_OFFLINE = offline


def _hub_answers() -> bool:
    """Whether the hub can be reached: without this test its client retries for 23 s before it fails."""
    from huggingface_hub import constants

    if urllib.request.getproxies():
        return True
    address = urllib.parse.urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=5):
            return True
    except OSError:
        return False
