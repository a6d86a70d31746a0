"""Begins a training in a folder, or takes up the one that is there; a folder of another training is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from msarch.atomic_files import atomic_write
from msarch.config.candidate import Candidate
from msarch.data.token_set import TokenSet
from msarch.errors import UserError, quoted
from search.ledger.folder import CONFIG
from search.results.environment import ENVIRONMENT
from search.run.environment import describe_environment, write_environment
from search.space.config_file import read_config
from search.train.record import RECORD, TOKENIZER, ModelRecord, is_model_folder, read_record
from search.train.start import Start

BUSY = "another msarch train is at work in {}; wait for it to end, or name another folder with --to"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a training runs on this machine; another choice gives other bits.

    Attributes:
        device: "cpu" or "cuda".
        threads: of the CPU.
        compiled: whether layers go through torch.compile.
    """

    device: str
    threads: int
    compiled: bool


def earlier_record(folder: Path) -> ModelRecord | None:
    """The record of the training that was begun here; None where there is none. Raises UserError."""
    if is_model_folder(folder):
        return read_record(folder)
    begun = (RECORD, TOKENIZER, ENVIRONMENT) if (folder / RECORD).is_file() else ()
    others = sorted(path.name for path in folder.glob("[!.]*") if path.name not in begun)
    if others:
        raise UserError(f"{folder} holds other files ({', '.join(others[:3])}); name a new folder", key="--to")
    return None


def chosen_candidate(start: Start, earlier: ModelRecord | None) -> Candidate:
    """What is trained: where a training was begun, its choice between the beginning and the origin stands."""
    if earlier is not None:
        known = (each for each in (start.continued, start.candidate) if each is not None)
        return next((each for each in known if each.digest() == earlier.candidate), start.candidate)
    return start.candidate if start.continued is None or start.obstacle else start.continued


def check_continues(folder: Path, start: Start, compiled: bool) -> None:
    """`check_same` before any text is read: all that is wanted but the text. Raises UserError."""
    earlier, corpus = read_record(folder), read_config(folder / CONFIG).corpus
    check_same(folder, earlier, chosen_candidate(start.naming(corpus), earlier), compiled)


def with_recorded_corpus(folder: Path, start: Start) -> Start:
    """The same start where its text is the folder's, wherever that is now: named as the folder names it."""
    corpus = read_config(folder / CONFIG).corpus
    if corpus.content != start.candidate.corpus.content or corpus.tokenizer != start.candidate.corpus.tokenizer:
        return start
    return start.naming(corpus)


def check_same(folder: Path, record: ModelRecord, candidate: Candidate, compiled: bool) -> None:
    """Raises UserError where the folder's training is another one than `candidate`."""
    there = read_config(folder / CONFIG)
    found = next(_differences(there.portable().to_dict(), candidate.portable().to_dict()), None)
    if found is not None:
        key, old, new = found
        raise UserError(
            f"{folder} holds another training: {key} is {quoted(old)} there and {quoted(new)} here; name another "
            "folder, or repeat the command that began it",
            key="--to",
        )
    if record.compiled != compiled:
        remedy = "give --compile again" if record.compiled else "leave out --compile"
        raise UserError(f"the training in {folder} was begun otherwise; {remedy}, or name another folder", key="--to")


def _differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield key, old, new


def write_origin(folder: Path, candidate: Candidate, tokens: TokenSet, record: ModelRecord) -> None:
    """What a training starts from. The record comes first and the configuration last: a training is there with both."""
    record.write(folder)
    with atomic_write(folder / TOKENIZER) as path:
        shutil.copyfile(tokens.folder / TOKENIZER, path)
    write_environment(folder, describe_environment(tokens))
    with atomic_write(folder / CONFIG) as path:
        path.write_text(yaml.safe_dump(candidate.portable().to_dict(), sort_keys=False), encoding="utf-8")
