"""One pass over a corpus: the hash that identifies its text anywhere, its sizes, and documents in two splits."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from msarch.data.hold_out import Documents

NOTICED = 0.01
"""Warn from this share of a split's text on, in documents that another split holds too. Data sets of single lines,
such as wikitext, share headings and other short lines without harm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitSize:
    """How much text a split holds: documents, and bytes of UTF-8."""

    documents: int
    text_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What one pass over the text found.

    Attributes:
        content: hash of all documents, see `ContentHash`.
        sizes: of each split.
        shared: sentences for the user about documents that stand in two splits.
    """

    content: str
    sizes: Mapping[str, SplitSize]
    shared: tuple[str, ...] = ()


class ContentHash:
    """A hash of documents and of their order and split, the same on any machine: 32 hexadecimal digits."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def watch(self, split: str, documents: Documents) -> Iterator[str]:
        """Yields the documents of a split and adds them to the hash."""
        self._digest.update(f"{split}\n".encode())
        for text in documents():
            data = text.encode()
            self._digest.update(len(data).to_bytes(8, "big"))
            self._digest.update(data)
            yield text
        self._digest.update(b"\xff" * 8)  # no document has this length: the end of a split is unmistakable

    def hexdigest(self) -> str:
        return self._digest.hexdigest()[:32]


class _Documents:
    """A hash (64 bits) and the bytes of each document of a split: 16 bytes of memory a document."""

    def __init__(self, documents: Iterator[str]) -> None:
        hashes, lengths = array("Q"), array("Q")
        for text in documents:
            data = text.strip().encode()  # a copy that lost its last line end is a copy
            hashes.append(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big"))
            lengths.append(len(text.encode()))
        self.hashes = np.frombuffer(hashes, dtype=np.uint64) if hashes else np.zeros(0, np.uint64)
        self.lengths = np.frombuffer(lengths, dtype=np.uint64) if lengths else np.zeros(0, np.uint64)

    @property
    def size(self) -> SplitSize:
        return SplitSize(documents=len(self.hashes), text_bytes=int(self.lengths.sum()))


def survey(splits: Mapping[str, Documents]) -> Survey:
    """Reads every document of `splits`, which stand in the order "train", "validation", "test"."""
    content = ContentHash()
    found = {name: _Documents(content.watch(name, documents)) for name, documents in splits.items()}
    shared = (_shared(first, found[first], second, found[second]) for first, second in combinations(found, 2))
    return Survey(
        content=content.hexdigest(),
        sizes={name: documents.size for name, documents in found.items()},
        shared=tuple(filter(None, shared)),
    )


def _shared(first: str, seen: _Documents, second: str, judged: _Documents) -> str:
    """A warning about documents of `second` that `first` holds too; empty below `NOTICED`."""
    is_shared = np.isin(judged.hashes, seen.hashes)
    count, text_bytes = int(is_shared.sum()), int(judged.lengths[is_shared].sum())
    if not count or text_bytes < NOTICED * judged.size.text_bytes:
        return ""
    share = text_bytes / judged.size.text_bytes
    effect = "a model may know them by heart" if first == "train" else "the two splits are not independent"
    return (
        f"corpus.{second}: {count:,} of {len(judged.hashes):,} {second} documents ({share:.0%} of the text) are also "
        f"in the {first} text: {effect}. Remove them from one of the two"
    )
