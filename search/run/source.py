"""Where trials come from: what a strategy decides while a search runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from search.ledger.attributes import Verdict
from search.ledger.records import TrialRecord


class Source(Protocol):
    """Decides which trial is trained next, and whether one continues after a rung."""

    def next_number(self) -> int | None:
        """Propose a trial, or resume a paused one; its number, None where there is nothing to train now."""

    def verdict(self, record: TrialRecord) -> Verdict:
        """Whether a trial continues after the last rung of its curve."""

    def surplus(self) -> Sequence[int]:
        """Paused trials that are given up."""

    @property
    def refused(self) -> Sequence[str]:
        """What the last proposals or draws exceed, such as a limit; an empty text for one that exceeds nothing."""

    @property
    def ended(self) -> bool:
        """Whether no more trials will be trained; some may still run."""
