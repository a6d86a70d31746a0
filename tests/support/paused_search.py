"""A search of the strategy "front" over made-up losses: workers that train nothing and keep checkpoints in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.made_up_search import reports_of, space_in

from search.ledger.records import TrialRecord
from search.propose.front.strategy import Design, Piece, Resume, Start
from search.run.coordinator import Coordinator
from search.run.trials import Job
from search.space.space import Space


@dataclass
class LowestLoss:
    """Starts `designs` designs, the cheapest first, then resumes the paused trial of the lowest loss.

    It can be followed by hand, and takes no time.
    """

    objectives: tuple[str, ...] = ()
    seed: int = 0
    designs: int = 5

    def next_piece(self, records: Sequence[TrialRecord], pool: Sequence[Design], tokens_left: int) -> Piece | None:
        fresh = [design for design in pool if design.candidate.training.tokens <= tokens_left]
        if fresh and len(records) < self.designs:
            return Start(min(fresh, key=lambda design: (design.profile["memory_bytes"], design.candidate.digest())))
        fitting = [one for one in records if one.paused and _remaining(one) <= tokens_left]
        if fitting:
            return Resume(min(fitting, key=lambda record: (record.curve[-1].loss, record.number)).number)
        return Start(fresh[0]) if fresh else None

    def ranking(self, records: Sequence[TrialRecord]) -> list[int]:
        paused = [record for record in records if record.paused]
        return [record.number for record in sorted(paused, key=lambda record: -record.curve[-1].loss)]


def _remaining(record: TrialRecord) -> int:
    return record.candidate.training.tokens - record.curve[-1].tokens


def front_space(folder: Path, *overrides: str) -> Space:
    return space_in(folder, "search.sampler=", "search.pruner=", "search.strategy=front", *overrides)


@dataclass
class Workers:
    """Train up to `concurrent` trials at a time, a rung each in turn. Checkpoints outlive coordinators, as on a disk.

    Attributes:
        checkpoints: the last rung of each trial.
        pieces: number and first rung of each job, in their order.
        trained: number and rung, once for each time that a rung was trained.
        most_at_once: trials.
    """

    concurrent: int = 1
    checkpoints: dict[int, int] = field(default_factory=dict)
    pieces: list[tuple[int, int]] = field(default_factory=list)
    trained: list[tuple[int, int]] = field(default_factory=list)
    most_at_once: int = 0

    def run(self, coordinator: Coordinator) -> None:
        busy: deque[tuple[Job, list[dict[str, Any]], int]] = deque()
        while True:
            while len(busy) < self.concurrent and (job := coordinator.next_job(patience=60)) is not None:
                busy += self._begun(job, coordinator)
            if not busy:
                assert coordinator.ended and coordinator.idle
                return
            self.most_at_once = max(self.most_at_once, len(busy))
            job, reports, rung = busy.popleft()
            self.checkpoints[job.number] = rung
            self.trained.append((job.number, rung))
            if coordinator.report(job.number, reports[rung]):
                busy.append((job, reports, rung + 1))

    def _begun(self, job: Job, coordinator: Coordinator) -> list[tuple[Job, list[dict[str, Any]], int]]:
        """A job under way, unless it has nothing left to do. A worker begins by repeating its last report."""
        reports, reached = list(reports_of(job)), self.checkpoints.get(job.number, -1)
        self.pieces.append((job.number, reached + 1))
        goes_on = reached < 0 or coordinator.report(job.number, reports[reached])
        return [(job, reports, reached + 1)] if goes_on else []


def tokens_trained(records: Sequence[TrialRecord]) -> int:
    return sum(record.curve[-1].tokens for record in records if record.curve)
