"""Who is told how a search goes. A display is one; tests and scripts may bring their own."""

from __future__ import annotations

from typing import Any, Protocol

from msarch.config.candidate import Candidate
from search.ledger.records import CurvePoint, TrialRecord


class Watcher(Protocol):
    """Is told of every step of a search, in the process that drives it."""

    def started(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> None:
        """A trial starts, or goes on after a restart."""

    def validated(self, number: int, point: CurvePoint) -> None:
        """A trial has reached a rung."""

    def finished(self, record: TrialRecord) -> None:
        """A trial has ended, or was never trained."""

    def message(self, text: str) -> None:
        """Something that a user should read, one line."""


class Silent:
    """A watcher that says nothing."""

    def started(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> None:
        """Says nothing."""

    def validated(self, number: int, point: CurvePoint) -> None:
        """Says nothing."""

    def finished(self, record: TrialRecord) -> None:
        """Says nothing."""

    def message(self, text: str) -> None:
        """Says nothing."""
