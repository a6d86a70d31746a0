"""Where Ray is in a search: "trains" trials up to their next rung, by reading the rung from the table.

The coordinator decides as it does with Ray. It may stop a trial at any rung, and hand out its number again later: the
trial then goes on after the last rung that it reached.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from search.ledger.records import TrialRecord
from search.replay.table import TableModel
from search.replay.tally import Tally
from search.run.coordinator import Coordinator


class TableExecutor:
    """Runs the trials of a coordinator.

    Args:
        models: each trial's model, by number; grows as trials are proposed.
        concurrent: trials at a time. Each takes the seconds from rung to rung that were recorded.
        tally: counts what is trained, and says when that is enough.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        models: Mapping[int, TableModel],
        *,
        concurrent: int,
        tally: Tally,
    ) -> None:
        self._coordinator, self._models = coordinator, models
        self._concurrent, self._tally = concurrent, tally
        self._busy: list[tuple[float, int]] = []  # second at which a trial reaches its next rung, and its number
        self._now = 0.0

    def run(self) -> None:
        """Run until the coordinator has ended, or it is enough."""
        self._fill()
        while self._busy and not self._tally.enough:
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
        record = self._models[number].record
        rung = self._tally.reached(record)
        begun = record.curve[rung - 1].seconds if rung else 0.0
        heapq.heappush(self._busy, (self._now + self._tally.next_point(record).seconds - begun, number))

    def _reach(self, number: int) -> bool:
        """Report a trial's next rung; whether the trial goes straight on."""
        record = self._models[number].record
        self._tally.train(record)
        return self._coordinator.report(number, _report(number, record, self._tally))


def _report(number: int, record: TrialRecord, tally: Tally) -> dict[str, Any]:
    curve = [asdict(point) for point in record.curve[: tally.reached(record)]]
    state = "complete" if tally.is_whole(record) else "running"
    return {"number": number, "state": state, "curve": curve, "ready": False}
