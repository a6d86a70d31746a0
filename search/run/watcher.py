"""Watchers follow a search while it runs. The display is one; tests and scripts may bring their own."""

from __future__ import annotations

from typing import Any, Protocol

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord


class Watcher(Protocol):
    """Gets every event of a search, in the process that drives it.

    A trial's events come in this order: `started`, `training`, `validated` at each rung, `finished`. In between it may
    be `paused`, and later `started` again.
    """

    def phase(self, text: str) -> None:
        """The search begins a phase, before its first trial trains: "encoding the text"."""

    def started(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> None:
        """A trial is handed to a worker; also one that continues after a pause or a restart."""

    def training(self, number: int) -> None:
        """A trial's worker has built its model; the training steps begin now."""

    def validated(self, number: int, point: Validation) -> None:
        """A trial has reached a rung."""

    def paused(self, record: TrialRecord) -> None:
        """A trial waits, with its checkpoint, and may be resumed later."""

    def finished(self, record: TrialRecord) -> None:
        """A trial has ended, or was never trained."""

    def message(self, text: str) -> None:
        """Something that a user should read, one line."""


class Watchers:
    """Forwards every event to several watchers, one after another."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def phase(self, text: str) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.phase(text)

    def started(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.started(number, candidate, profile)

    def training(self, number: int) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.training(number)

    def validated(self, number: int, point: Validation) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.validated(number, point)

    def paused(self, record: TrialRecord) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.paused(record)

    def finished(self, record: TrialRecord) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.finished(record)

    def message(self, text: str) -> None:
        """Forwarded."""
        for each in self._watchers:
            each.message(text)


class Silent:
    """A watcher that ignores every event; a base class for watchers of a few events."""

    def phase(self, text: str) -> None:
        """Ignored."""

    def started(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> None:
        """Ignored."""

    def training(self, number: int) -> None:
        """Ignored."""

    def validated(self, number: int, point: Validation) -> None:
        """Ignored."""

    def paused(self, record: TrialRecord) -> None:
        """Ignored."""

    def finished(self, record: TrialRecord) -> None:
        """Ignored."""

    def message(self, text: str) -> None:
        """Ignored."""
