"""Notices a trial that stands still: how long its process may take to its next report, by the speed of all so far.

A process that is stopped, or waits for a disk that hangs, cannot tell so itself. So the driver keeps the clock. What is
expected of a rung is its work, in FLOPs and in steps, at the slowest speed that any rung had so far; ten times that is
allowed, and at least a minute. A `trial_timeout` of the space takes the place of all this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msarch.config.candidate import Candidate
from search.run.trials import Job

PATIENCE = 10.0
"""How many times the expected time a rung may take."""
SHORTEST, LONGEST = 60.0, 6 * 3600.0
"""Seconds that a rung may take at least, and at most where no trial has reached a rung yet."""
START = 600.0
"""Seconds at least for a process to start, to read the tokens, and to build and check its model."""
ENCODED_A_SECOND = 100_000
"""Bytes of text, a tenth of what a slow machine encodes: where a node has no tokens yet, it makes them as it starts."""
UNKNOWN_FLOPS, UNKNOWN_STEP = 1e9, 0.1
"""FLOPs a second and seconds a step, slower than most machines, before the first rung of a search."""
GLANCE = 1.0
"""Seconds between two checks that count at most: a driver that slept blames nobody for what it has not seen."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is done between two rungs, validation included: training FLOPs, and steps."""

    flops: float
    steps: float


@dataclass(slots=True)
class _Clock:
    """A trial's process: since when it owes a report, how much it may take, and what it works on."""

    since: float
    limit: float
    work: Work | None


class Deadlines:
    """The clocks of the trials that run.

    Args:
        timeout: seconds that a rung may take; None to learn it.
        encodes: bytes of text that a process may have to encode as it starts.
        seconds: the time, for tests.
    """

    def __init__(
        self, timeout: float | None = None, seconds: Callable[[], float] = time.monotonic, *, encodes: int = 0
    ) -> None:
        self._timeout, self._seconds = timeout, seconds
        self._start = max(START + encodes / ENCODED_A_SECOND, timeout or 0)
        self._now, self._glanced = 0.0, seconds()
        self._clocks: dict[int, _Clock] = {}
        self._candidates: dict[int, tuple[Candidate, float]] = {}  # and FLOPs of a token
        self._slowest: tuple[float, float] | None = None  # seconds for a FLOP, and for a step
        self._hangs: dict[int, list[float]] = {}  # limits that a trial passed

    def started(self, job: Job, profile: Mapping[str, Any]) -> None:
        """A trial was handed to a process, which has a model to build."""
        self._candidates[job.number] = job.candidate, profile.get("flops_per_token", 0.0)
        self._start_clock(job.number)

    def reported(self, number: int, report: Mapping[str, Any], runs_on: bool) -> None:
        """A trial's process reported, and was told whether to continue."""
        self._glance()
        clock = self._clocks.pop(number, None)
        if clock is not None and clock.work is not None and report["curve"] and not report.get("ready"):
            self._learn(clock.work, self._now - clock.since)
        if runs_on:
            work = self._work(number, len(report["curve"]))
            self._clocks[number] = _Clock(self._now, self._limit(work), work)

    def overdue(self) -> list[int]:
        """Trials that have passed their limit since the last call; the clock of each starts again, as it will."""
        self._glance()
        late = [number for number, clock in self._clocks.items() if self._now - clock.since > clock.limit]
        for number in late:
            self._hangs.setdefault(number, []).append(self._clocks[number].limit)
            self._start_clock(number)
        return late

    def ended(self, number: int) -> None:
        """A trial's process is gone for good."""
        self._clocks.pop(number, None)

    def hangs(self, number: int) -> list[float]:
        """The limits, in seconds, that a trial has passed so far."""
        return self._hangs.get(number, [])

    def _start_clock(self, number: int) -> None:
        self._clocks[number] = _Clock(self._now, self._start, None)

    def _glance(self) -> None:
        seconds = self._seconds()
        self._now += min(seconds - self._glanced, GLANCE)
        self._glanced = seconds

    def _work(self, number: int, rung: int) -> Work:
        """From a rung, by how many are behind the trial, to the next; a forward pass takes a third of a step."""
        candidate, flops_per_token = self._candidates[number]
        training, context = candidate.training, candidate.model.context
        rungs = (0.0, *training.rungs, 1.0)
        tokens = (rungs[rung + 1] - rungs[rung]) * training.tokens + training.targets()
        return Work(flops=tokens * flops_per_token, steps=1 + tokens / (training.batch_size * context))

    def _learn(self, work: Work, seconds: float) -> None:
        by_flop, by_step = self._slowest or (0.0, 0.0)
        self._slowest = max(by_flop, seconds / max(work.flops, 1.0)), max(by_step, seconds / work.steps)

    def _limit(self, work: Work) -> float:
        if self._timeout is not None:
            return self._timeout
        by_flop, by_step = self._slowest or (1 / UNKNOWN_FLOPS, UNKNOWN_STEP)
        limit = max(SHORTEST, PATIENCE * max(by_flop * work.flops, by_step * work.steps))
        return limit if self._slowest else min(limit, LONGEST)
