"""Failures in a row: when trial after trial fails with the same error, the fault is not the candidates'."""

from __future__ import annotations

import re

from msarch.errors import UserError
from search.ledger.records import DIVERGED

MAX_ALIKE = 5
"""Trials in a row that may fail with one kind of error before a search stops."""
MAX_DIVERGED = 20
"""The same for a loss that is not finite: a wide range of learning rates has many such candidates."""


class FailingSearchError(UserError):
    """Trials fail one after another, all with the same kind of error."""


class Failures:
    """Counts trials that fail in a row, since the search was started or continued."""

    def __init__(self) -> None:
        self._kind, self._count = "", 0

    def trained(self) -> None:
        """A trial did not fail: it is complete, pruned or paused."""
        self._kind, self._count = "", 0

    def failed(self, number: int, error: str) -> None:
        """A trial failed. Raises FailingSearchError where as many as are allowed have failed in that way."""
        kind = kind_of(error)
        self._kind, self._count = kind, self._count + 1 if kind == self._kind else 1
        if self._count >= (MAX_DIVERGED if DIVERGED in kind else MAX_ALIKE):
            raise FailingSearchError(
                f"the last {self._count} trials that ended all failed in the same way, so the search stops; trial "
                f"{number}: {error} (more in trials/{number:04d}/log.txt); nothing is lost"
            )


def kind_of(error: str) -> str:
    """The kind of an error: the type before the colon; for a sentence of ours, the sentence without its numbers."""
    return re.sub(r"\d+", "", error.partition(":")[0]).strip()
