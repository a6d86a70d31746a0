"""A corpus: its text found, checked, hashed and split into training, validation and perhaps test documents.

Documents are read again for every pass (survey, tokenizer, encoding), so a corpus may be larger than memory as long
as each single document fits.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from msarch.config.corpus import PYTHON_DOCS, SPLITS, CorpusConfig
from msarch.data.hold_out import Documents, HeldOut, without_blanks
from msarch.data.known_texts import FileStates, recall, remember
from msarch.data.survey import SplitSize, Survey, survey
from msarch.errors import TextWarning, UserError, quoted


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Text after it was found, checked and hashed.

    Attributes:
        splits: "train", "validation" and perhaps "test", in this order.
        content: hash of all their documents, see `ContentHash`.
        sizes: of each split.
    """

    splits: Mapping[str, Documents]
    content: str
    sizes: Mapping[str, SplitSize]


def read_corpus(config: CorpusConfig, *, base: Path | None = None) -> Corpus:
    """The text that `config` names; relative paths start at `base`, or else at the current folder.

    Files that have not changed since they were read last are not read again. Warns (`TextWarning`) of documents
    that stand in two splits, and of empty files. Raises UserError, with keys such as ``corpus.train``, where text
    is missing, empty, not text, or not the text that was recorded.
    """
    try:
        splits, files = _sources(config, (base or Path.cwd()).absolute())
    except UserError as error:
        if config.content and config.source == "files":
            raise UserError(f"{error.message}. {_MOVED.format(config.content)}", key=error.key) from None
        raise
    whole = splits["train"]
    held_out = HeldOut(whole) if "validation" not in splits else None
    if held_out is not None:
        splits = {**held_out.splits, **{name: splits[name] for name in splits if name == "test"}}
    splits = {name: partial(without_blanks, splits[name]) for name in SPLITS if name in splits}
    found = _survey(splits, held_out, FileStates.of(files, column=config.column))
    _check_sizes(found.sizes, files, held_out_of=whole if held_out else None)
    if config.content and config.content != found.content:
        raise UserError(_mismatch(config, found.content), key="corpus.content")
    for sentence in (*_empty_files(files), *found.shared):
        warnings.warn(sentence, TextWarning, stacklevel=2)
    return Corpus(splits=splits, content=found.content, sizes=found.sizes)


_MOVED = "If the text with content {} has moved, name it with --set corpus.train=... (and corpus.validation=...)"

_Files = dict[str, list[Path]]


def _sources(config: CorpusConfig, base: Path) -> tuple[dict[str, Documents], _Files]:
    """The splits that are named, and the files of each where it is made of files."""
    if config.source == PYTHON_DOCS:
        from msarch.data.python_docs import python_docs

        texts = python_docs()
        return {"train": lambda: iter(texts)}, {}
    if config.source == "huggingface":
        from msarch.data.huggingface import load_splits, missing_text, read_tables

        tables = load_splits(config)
        for name in tables:
            if sentence := missing_text(tables[name], column=config.column, key=f"corpus.{name}"):
                warnings.warn(sentence, TextWarning, stacklevel=3)
        read = partial(read_tables, column=config.column)
        return {name: partial(read, tables[name], key=f"corpus.{name}") for name in tables}, {}
    return _from_files(config, base)


def _from_files(config: CorpusConfig, base: Path) -> tuple[dict[str, Documents], _Files]:
    from msarch.data.find_files import find_files
    from msarch.data.text_files import read_documents

    patterns = {"train": config.train, "validation": config.validation, "test": config.test}
    files = {name: find_files(patterns[name], base=base, key=f"corpus.{name}") for name in SPLITS if patterns[name]}
    for first, second in itertools.combinations(files, 2):
        for path in set(files[first]) & set(files[second]):
            raise UserError(
                f"{path} is {first} text too; judge models on text they were not trained on", key=f"corpus.{second}"
            )
    read = partial(read_documents, column=config.column)
    return {name: partial(read, files[name], key=f"corpus.{name}") for name in files}, files


def _survey(splits: Mapping[str, Documents], held_out: HeldOut | None, files: FileStates) -> Survey:
    known = recall(files)
    if known is not None:
        return known
    found = survey(splits)
    if held_out is not None and held_out.cuts_documents:
        found = replace(found, shared=())  # parts of one text may be alike without any document being there twice
    remember(files, found)
    return found


def _check_sizes(sizes: Mapping[str, SplitSize], files: _Files, *, held_out_of: Documents | None) -> None:
    for name, size in sizes.items():
        if size.documents:
            continue
        if held_out_of is not None and any(without_blanks(held_out_of)):
            raise UserError(
                "there is too little text to hold out 5 % for validation and 5 % for test; name validation text with "
                "corpus.validation, or give more text",
                key="corpus.train",
            )
        where = f": nothing but blanks in {_list(files[name])}" if name in files else ""
        raise UserError(f"the {name} text is empty{where}", key=f"corpus.{name}")


def _empty_files(files: _Files) -> Iterator[str]:
    for name, paths in files.items():
        empty = [path for path in paths if not path.stat().st_size]
        if empty:
            yield f"corpus.{name}: {len(empty):,} of {len(paths):,} files are empty: {_list(empty)}"


def _list(paths: list[Path]) -> str:
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return ", ".join(map(str, paths[:3])) + more


def _mismatch(config: CorpusConfig, found: str) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    remedy = {
        PYTHON_DOCS: f"the embedded corpus differs between Python versions, and this is {version}",
        "files": "name the recorded text with --set corpus.train=... (and corpus.validation=...)",
        "huggingface": f"data set {quoted(config.name)} has changed since",
    }[config.source]
    return f"the text is another: recorded {config.content}, found {found}; {remedy}"
