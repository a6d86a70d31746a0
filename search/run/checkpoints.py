"""How much room the checkpoints of paused trials take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from search.ledger.folder import trial_folder
from search.ledger.records import TrialRecord


class Checkpoints:
    """The checkpoints in a results folder.

    Args:
        folder: of the results; None where trials leave no files.
        room: bytes that paused trials may take.
    """

    def __init__(self, folder: Path | None, room: int) -> None:
        self._folder, self._room = folder, room
        self._sizes: dict[tuple[int, int], int] = {}  # bytes, by a trial's number and the rungs that it has reached

    def surplus(self, paused: Sequence[TrialRecord], ranking: Callable[[], Sequence[int]]) -> list[int]:
        """Those of the paused trials that must go, so that the others have room.

        Args:
            ranking: gives the paused trials, the first to go first; asked only where room is short.
        """
        sizes = {record.number: self._size(record) for record in paused}
        excess = sum(sizes.values()) - self._room
        if excess <= 0:
            return []
        found = []
        for number in ranking():
            if excess > 0 and number in sizes:
                found.append(number)
                excess -= sizes[number]
        return found

    def _size(self, record: TrialRecord) -> int:
        """Looked up once: until a trial is resumed, its checkpoint stays as it was written before it paused."""
        key = record.number, len(record.curve)
        if key not in self._sizes:
            self._sizes[key] = self._measured(record.number)
        return self._sizes[key]

    def _measured(self, number: int) -> int:
        if self._folder is None:
            return 0
        files = (trial_folder(self._folder, number) / "checkpoint").glob("*")
        return sum(file.stat().st_size for file in files)
