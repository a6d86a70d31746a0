"""One search whose events are printed with their times: `search_once SPACE OUT BEGAN`."""

from __future__ import annotations

import json
import os
import sys
import time

from benchmarks.overhead.processes import tree_seconds
from search.run.watcher import Silent

EVENTS = {
    "checking the limits": "imports",
    "starting Ray": "text and ledger",
    "starting a worker": "Ray",
    "starting workers": "Ray",
    "first proposal": "first proposal",
    "first step": "worker, up to the first step",
    "writing tables and report": "trials",
    "end": "tables and report",
}
"""What has just passed when an event comes, by the event."""


class Clock(Silent):
    """Prints when each event came first: seconds since the epoch, and seconds of processors so far."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def phase(self, text: str) -> None:
        """Another part of the search begins."""
        self.note("starting workers" if text.endswith(" workers") else text)

    def started(self, number: int, *details: object) -> None:
        """A trial was proposed."""
        self.note("first proposal")

    def training(self, number: int) -> None:
        """A trial's model is built, and its first step begins."""
        self.note("first step")

    def note(self, event: str) -> None:
        """Print an event, the first time that it comes."""
        if event not in self._seen:
            self._seen.add(event)
            values = {"event": event, "wall": time.time(), "cpu": tree_seconds(os.getpid())}
            print(json.dumps(values), flush=True)


def main() -> None:
    """Search."""
    from search.run.run_search import run_search

    print(json.dumps({"event": "begin", "wall": float(sys.argv[3]), "cpu": 0.0}), flush=True)
    clock = Clock()
    run_search(sys.argv[1], sys.argv[2], display=clock)
    clock.note("end")


if __name__ == "__main__":
    main()
