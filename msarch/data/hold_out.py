"""Validation and test text taken out of training text, where none is named: the same at every call.

Whole documents spread evenly where there are enough of them, else the end of each document.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property, partial

Documents = Callable[[], Iterator[str]]
"""Reads the documents of a split from the first on, at each call anew."""

HELD_OUT = 20
"""One document in 20 is validation and one is test. With fewer documents, a twentieth of each document is."""


_PARTS = {"train": (0, HELD_OUT - 2), "validation": (HELD_OUT - 2, HELD_OUT - 1), "test": (HELD_OUT - 1, HELD_OUT)}
"""Where each split begins and ends in a document, in twentieths, where there are few documents."""

_VALIDATION, _TEST = HELD_OUT // 2 - 1, HELD_OUT - 1
_NUMBERS = {
    "train": frozenset(range(HELD_OUT)) - {_VALIDATION, _TEST},
    "validation": frozenset({_VALIDATION}),
    "test": frozenset({_TEST}),
}
"""Which of each twenty documents belong to a split, where there are many."""


class HeldOut:
    """Training, validation and test text, the last two a twentieth each. Text is read only when it is asked for."""

    def __init__(self, train: Documents) -> None:
        self._train = train
        self.splits: dict[str, Documents] = {split: partial(self._read, split) for split in _PARTS}

    @cached_property
    def cuts_documents(self) -> bool:
        """Whether there are so few documents that each split gets a part of every one."""
        return _are_few(self._documents)

    @cached_property
    def _documents(self) -> Documents:
        """Those that are counted: the blank ones too, unless a split would then hold nothing but blanks.

        A text that could be split before blank documents were left out keeps its splits, and so its recorded content.
        """
        few = _are_few(self._train)
        whole = all(any(without_blanks(partial(_held_out, self._train, split, few))) for split in _PARTS)
        return self._train if whole else partial(without_blanks, self._train)

    def _read(self, split: str) -> Iterator[str]:
        return _held_out(self._documents, split, self.cuts_documents)


def without_blanks(documents: Documents) -> Iterator[str]:
    """The documents that hold more than blanks."""
    for text in documents():
        if text and not text.isspace():
            yield text


def _are_few(documents: Documents) -> bool:
    return sum(1 for _ in itertools.islice(documents(), HELD_OUT)) < HELD_OUT


def _held_out(documents: Documents, split: str, few: bool) -> Iterator[str]:
    return _part_of_each(documents, *_PARTS[split]) if few else _every(documents, _NUMBERS[split])


def _part_of_each(documents: Documents, start: int, stop: int) -> Iterator[str]:
    for text in documents():
        yield text[len(text) * start // HELD_OUT : len(text) * stop // HELD_OUT]


def _every(documents: Documents, kept: frozenset[int]) -> Iterator[str]:
    for number, text in enumerate(documents()):
        if number % HELD_OUT in kept:
            yield text
