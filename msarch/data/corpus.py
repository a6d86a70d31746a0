"""The documents of a corpus's three splits, and the hash that identifies them anywhere.

Documents are read again for every pass (hashing, tokenizer, encoding), so that a corpus larger than memory
is no problem as long as its single documents are not. Where no validation text is given, it is held out of
the training text: whole documents spread evenly where there are enough of them, else the end of each.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msarch.config.corpus import PYTHON_DOCS, CorpusConfig
from msarch.errors import UserError

Documents = Callable[[], Iterator[str]]
"""Reads the documents of a split from the first on, at each call anew."""

HELD_OUT = 20
"""One document in so many is validation, and one is test; with fewer, that share of each document is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Text that was found, checked and hashed.

    Attributes:
        splits: "train", "validation" and perhaps "test", in this order.
        content: hash of all their documents, see `ContentHash`.
    """

    splits: Mapping[str, Documents]
    content: str


def read_corpus(config: CorpusConfig, *, base: Path | None = None) -> Corpus:
    """The text that `config` names; relative paths start at `base`, or else at the current folder.

    Raises UserError, with keys such as ``corpus.train``, where text is missing, empty, not text, or not the
    text that was recorded.
    """
    try:
        splits = _sources(config, (base or Path.cwd()).absolute())
    except UserError as error:
        if config.content and config.source == "files":
            raise UserError(f"{error.message}. {_MOVED.format(config.content)}", key=error.key) from None
        raise
    held_out = "validation" not in splits
    if held_out:
        splits = {**hold_out(splits["train"]), **{name: splits[name] for name in splits if name == "test"}}
    splits = {name: partial(_without_empty, splits[name]) for name in ("train", "validation", "test") if name in splits}
    content = _hash_all(splits, held_out=held_out)
    if config.content and config.content != content:
        raise UserError(_mismatch(config, content), key="corpus.content")
    return Corpus(splits=splits, content=content)


_MOVED = "If the text with content {} has moved, name it with --set corpus.train=... (and corpus.validation=...)"


def _sources(config: CorpusConfig, base: Path) -> dict[str, Documents]:
    if config.source == PYTHON_DOCS:
        from msarch.data.python_docs import python_docs

        texts = python_docs()
        return {"train": lambda: iter(texts)}
    if config.source == "huggingface":
        from msarch.data.huggingface import load_splits, read_tables

        tables = load_splits(config)
        return {name: partial(read_tables, tables[name], column=config.column, key=f"corpus.{name}") for name in tables}
    return _from_files(config, base)


def _from_files(config: CorpusConfig, base: Path) -> dict[str, Documents]:
    from msarch.data.text_files import find_files, read_documents

    patterns = {"train": config.train, "validation": config.validation, "test": config.test}
    files = {name: find_files(patterns[name], base=base, key=f"corpus.{name}") for name in patterns if patterns[name]}
    for first, second in itertools.combinations(files, 2):
        for path in set(files[first]) & set(files[second]):
            raise UserError(f"{path} is {first} text too; judge models on text they were not trained on",
                            key=f"corpus.{second}")  # fmt: skip
    return {name: partial(read_documents, files[name], column=config.column, key=f"corpus.{name}") for name in files}


def hold_out(train: Documents) -> dict[str, Documents]:
    """Validation and test text taken out of training text, a twentieth each, the same at every call."""
    if sum(1 for _ in itertools.islice(train(), HELD_OUT)) < HELD_OUT:
        bounds = {
            "train": (0, HELD_OUT - 2),
            "validation": (HELD_OUT - 2, HELD_OUT - 1),
            "test": (HELD_OUT - 1, HELD_OUT),
        }
        return {name: partial(_part_of_each, train, *bounds[name]) for name in bounds}
    middle, last = HELD_OUT // 2 - 1, HELD_OUT - 1
    kept = {"train": {*range(HELD_OUT)} - {middle, last}, "validation": {middle}, "test": {last}}
    return {name: partial(_every, train, frozenset(kept[name])) for name in kept}


def _part_of_each(documents: Documents, start: int, stop: int) -> Iterator[str]:
    for text in documents():
        yield text[len(text) * start // HELD_OUT : len(text) * stop // HELD_OUT]


def _every(documents: Documents, kept: frozenset[int]) -> Iterator[str]:
    for number, text in enumerate(documents()):
        if number % HELD_OUT in kept:
            yield text


def _without_empty(documents: Documents) -> Iterator[str]:
    for text in documents():
        if text and not text.isspace():
            yield text


class ContentHash:
    """A hash of documents and of their order and split, the same on any machine: 32 hexadecimal digits."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def watch(self, split: str, documents: Documents) -> Iterator[str]:
        """Passes the documents of a split on, and takes them into the hash."""
        self._digest.update(f"{split}\n".encode())
        for text in documents():
            data = text.encode()
            self._digest.update(len(data).to_bytes(8, "big"))
            self._digest.update(data)
            yield text
        self._digest.update(b"\xff" * 8)  # no document has this length: the end of a split is unmistakable

    def hexdigest(self) -> str:
        return self._digest.hexdigest()[:32]


def _hash_all(splits: Mapping[str, Documents], *, held_out: bool) -> str:
    content = ContentHash()
    for name, documents in splits.items():
        if sum(1 for _ in content.watch(name, documents)):
            continue
        if held_out and name != "train":
            raise UserError(f"the training text is too short to hold {name} text out of it", key="corpus.train")
        raise UserError(f"the {name} text is empty", key=f"corpus.{name}")
    return content.hexdigest()


def _mismatch(config: CorpusConfig, found: str) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    remedy = {
        PYTHON_DOCS: f"the embedded corpus differs between Python versions, and this is {version}",
        "files": "name the recorded text with --set corpus.train=... (and corpus.validation=...)",
        "huggingface": f"data set '{config.name}' has changed since",
    }[config.source]
    return f"the text is another: recorded {config.content}, found {found}; {remedy}"
