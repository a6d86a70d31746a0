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
        return sum(1 for _ in itertools.islice(self._train(), HELD_OUT)) < HELD_OUT

    def _read(self, split: str) -> Iterator[str]:
        if self.cuts_documents:
            return _part_of_each(self._train, *_PARTS[split])
        return _every(self._train, _NUMBERS[split])


def _part_of_each(documents: Documents, start: int, stop: int) -> Iterator[str]:
    for text in documents():
        yield text[len(text) * start // HELD_OUT : len(text) * stop // HELD_OUT]


def _every(documents: Documents, kept: frozenset[int]) -> Iterator[str]:
    for number, text in enumerate(documents()):
        if number % HELD_OUT in kept:
            yield text
