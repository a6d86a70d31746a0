"""Where Ray is in a search: "trains" trials up to their next rung, by reading the rung from the table.

The coordinator decides as it does with Ray. It may stop a trial at any rung, and hand out its number again later: the
trial then goes on after the last rung that it reached.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from search.ledger.records import TrialRecord
from search.replay.table import TableModel
from search.run.coordinator import Coordinator

Ended = Callable[[TrialRecord, int], None]
"""Called with each model that was trained to its end, and the tokens that were spent by then on all."""


class TableExecutor:
    """Runs the trials of a coordinator.

    Args:
        models: each trial's model, by number; grows as trials are proposed.
        concurrent: trials at a time. Each takes the seconds from rung to rung that were recorded.
        tokens: after how many, over all trials, to stop; None to go on until the coordinator ends.
        ended: gets every model that was trained to its end.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        models: Mapping[int, TableModel],
        *,
        concurrent: int,
        tokens: int | None,
        ended: Ended,
    ) -> None:
        self._coordinator, self._models, self._ended = coordinator, models, ended
        self._concurrent, self._limit = concurrent, tokens
        self._reached: dict[int, int] = {}  # rungs behind each trial
        self._busy: list[tuple[float, int]] = []  # second at which a trial reaches its next rung, and its number
        self._now = 0.0
        self.spent = 0
        """Tokens, over all trials."""

    def run(self) -> None:
        """Run until the coordinator has ended, or the tokens are spent."""
        self._fill()
        while self._busy and (self._limit is None or self.spent < self._limit):
            self._now, number = heapq.heappop(self._busy)
            if self._reach(number):
                self._start(number)
            self._fill()

    def _fill(self) -> None:
        """Start trials on free workers."""
        while len(self._busy) < self._concurrent and not self._coordinator.ended:
            job = self._coordinator.next_job()
            if job is not None:
                self._start(job.number)
            elif self._busy:
                return  # the coordinator waits for one of them

    def _start(self, number: int) -> None:
        curve = self._models[number].record.curve
        rung = self._reached.setdefault(number, 0)
        begun = curve[rung - 1].seconds if rung else 0.0
        heapq.heappush(self._busy, (self._now + curve[rung].seconds - begun, number))

    def _reach(self, number: int) -> bool:
        """Report a trial's next rung; whether the trial goes straight on."""
        record = self._models[number].record
        rung = self._reached[number]
        self._reached[number] = rung + 1
        self.spent += record.curve[rung].tokens - (record.curve[rung - 1].tokens if rung else 0)
        last = rung + 1 == len(record.curve)
        if last:
            self._ended(record, self.spent)
        return self._coordinator.report(number, _report(number, record, rung, last))


def _report(number: int, record: TrialRecord, rung: int, last: bool) -> dict[str, Any]:
    curve = [asdict(point) for point in record.curve[: rung + 1]]
    return {"number": number, "state": "complete" if last else "running", "curve": curve, "ready": False}
