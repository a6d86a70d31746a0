"""One search whose events are printed with their times: `search_once SPACE OUT BEGAN`."""

from __future__ import annotations

import json
import os
import sys
import time

from benchmarks.overhead.processes import tree_seconds
from search.run.watcher import Silent


class Clock(Silent):
    """Prints events: seconds since the epoch, and seconds of processors so far, those of Ray's processes included."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def phase(self, text: str) -> None:
        """Another part of the search begins."""
        self.first("starting workers" if text.startswith("starting ") and "worker" in text else text)

    def started(self, number: int, *details: object) -> None:
        """A trial was proposed."""
        self.first("first proposal")

    def training(self, number: int) -> None:
        """A trial's model is built, and its first step begins."""
        self.first("first step")

    def finished(self, record: object) -> None:
        """A trial has ended; the last of these events counts."""
        self.note("trained")

    def first(self, event: str) -> None:
        """Print an event the first time that it comes."""
        if event not in self._seen:
            self._seen.add(event)
            self.note(event)

    def note(self, event: str) -> None:
        """Print an event."""
        print(json.dumps({"event": event, "wall": time.time(), "cpu": tree_seconds(os.getpid())}), flush=True)


def main() -> None:
    """Search."""
    print(json.dumps({"event": "begin", "wall": float(sys.argv[3]), "cpu": 0.0}), flush=True)
    from search.run.run_search import run_search

    clock = Clock()
    run_search(sys.argv[1], sys.argv[2], display=clock)
    clock.note("end")


if __name__ == "__main__":
    main()
