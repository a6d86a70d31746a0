"""How much room the checkpoints of paused trials take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from search.ledger.folder import trial_folder


class Checkpoints:
    """The checkpoints in a results folder.

    Args:
        folder: of the results; None where trials leave no files.
        room: bytes that paused trials may take.
    """

    def __init__(self, folder: Path | None, room: int) -> None:
        self._folder, self._room = folder, room

    def surplus(self, paused: Sequence[int], ranking: Callable[[], Sequence[int]]) -> list[int]:
        """Those of the paused trials that must go, so that the others have room.

        Args:
            ranking: gives the paused trials, the first to go first; asked only where room is short.
        """
        sizes = {number: self._size(number) for number in paused}
        excess = sum(sizes.values()) - self._room
        if excess <= 0:
            return []
        found = []
        for number in ranking():
            if excess > 0 and number in sizes:
                found.append(number)
                excess -= sizes[number]
        return found

    def _size(self, number: int) -> int:
        if self._folder is None:
            return 0
        files = (trial_folder(self._folder, number) / "checkpoint").glob("*")
        return sum(file.stat().st_size for file in files)
