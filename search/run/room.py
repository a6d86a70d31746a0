"""Memory of this machine that trials share where they train on its CPU: the next one starts when there is room for it.

A trial that needs more than is free for all of them is refused; one that fits, but not beside those that run, waits.
On a GPU each trial has an allocator with a cap, see `search.run.ray.memory_cap`.
"""

from __future__ import annotations

from search.ledger.records import NO_ROOM
from search.space.objectives import LIMITS

WORKER_BYTES = 200 * 2**20
"""Of a process that trains, before it has a model: Python and torch."""


def room_of(free: int, processes: int) -> int:
    """Bytes for models where so many are free; on a small machine at least half, since processes share libraries."""
    return max(free - processes * WORKER_BYTES, free // 2)


def most_processes(free: int) -> int:
    """Processes that leave at least half of what is free to their models; one in any case."""
    return max(1, free // (2 * WORKER_BYTES))


class Room:
    """Bytes that running trials take together.

    Attributes:
        size: of the room, in bytes; None where it is not known, and everything fits.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        self._taken: dict[int, int] = {}

    def take(self, number: int, needed: int) -> None:
        """A trial starts that is predicted to need so many bytes."""
        self._taken[number] = needed

    def leave(self, number: int) -> None:
        """A trial has ended, or is paused."""
        self._taken.pop(number, None)

    def too_small_for(self, needed: int) -> bool:
        """Whether a trial would not fit if it ran alone."""
        return self.size is not None and needed > self.size

    def refusal(self, needed: int) -> str:
        """Such as ``free memory: 12.0 GiB > 6.0 GiB free on this machine``; empty where a trial fits."""
        if self.size is None or not self.too_small_for(needed):
            return ""
        needs, free = LIMITS["memory"].format_both(needed, self.size)
        return f"{NO_ROOM}: {needs} > {free} free on this machine"

    def is_short_of(self, needed: int) -> bool:
        """Whether a trial does not fit beside those that run."""
        return self.size is not None and bool(self._taken) and sum(self._taken.values()) + needed > self.size
