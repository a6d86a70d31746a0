"""Decides what to train next, what to do at a rung, and when a search has ended.

Ray's searcher and scheduler only forward to it. It knows nothing of Ray, so a plain loop can drive it as well. Every
decision is written to the ledger before it takes effect.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.attributes import CONTINUE, PAUSE, PRUNE
from search.ledger.ledger import Ledger
from search.ledger.records import TRAINED, TrialRecord
from search.propose.mirror import Mirror
from search.run.budget import Budget
from search.run.failures import Failures
from search.run.judge import Judge
from search.run.kept import KeptCheckpoints
from search.run.proposer import Proposer
from search.run.room import Room
from search.run.sampling import Sampling
from search.run.source import Source
from search.run.trials import Job, Trials
from search.run.watcher import Watcher

_OUTCOME = ("state", "error", "memory_measured_bytes")  # what is recorded of a trial's last report


class Coordinator:
    """Drives one search.

    Args:
        folder: of the results; None where trials leave no files.
        ledger: records every decision; `mirror` holds the curves for the pruner; `proposer` asks the sampler.
        profile: gives the figures of a candidate known before training.
        trials: trained trials in all.
        watcher: gets every event.
        tokens: training tokens in all, in place of `trials`.
        kept: the checkpoints from which finished trials can be continued; by default there are none.
        source: where trials come from; by default the sampler proposes them and the pruner stops them.
        room: memory that running trials share, see `set_room`; `source` may look at it.
    """

    def __init__(
        self,
        folder: Path | None,
        ledger: Ledger,
        mirror: Mirror,
        proposer: Proposer,
        *,
        profile: Callable[[Candidate], Mapping[str, Any]],
        trials: int | None,
        watcher: Watcher,
        tokens: int | None = None,
        kept: KeptCheckpoints | None = None,
        source: Source | None = None,
        room: Room | None = None,
    ) -> None:
        self._ledger, self._proposer = ledger, proposer
        self._trials = Trials(folder, ledger, mirror, proposer, profile, watcher, kept, room)
        budget = Budget(trials=trials, tokens=tokens)
        self._source = source or Sampling(proposer, mirror, self._trials, budget, self.records, watcher)
        self._judge = Judge(ledger, mirror, self._source, watcher)
        self._failures = Failures()
        self._resumed = deque(ledger.close_unfinished())
        self._trials.recover(ledger.records())

    def records(self) -> list[TrialRecord]:
        """All records so far, by number."""
        return self._ledger.records()

    def profile(self, number: int) -> dict[str, Any]:
        """The figures of a trial known before training."""
        return self._ledger.record(number).profile

    def next_job(self, patience: float = 0.5) -> Job | None:
        """The next trial to train; None where there is none, for now (see `ended`) or after `patience` seconds."""
        while self._resumed:
            if self._trials.must_wait(self._resumed[0]):
                return None
            job = self._trials.admit(self._resumed.popleft())
            if job is not None:
                return job
        until = time.monotonic() + patience
        while not self.ended and not self._trials.waiting and time.monotonic() < until:
            number = self._source.next_number()
            if number is not None and self._trials.must_wait(number):
                self._resumed.appendleft(number)  # it is the next to start, when another one has ended
                return None
            job = None if number is None else self._trials.admit(number)
            if job is not None or number is None:
                return job
        return None

    @property
    def ended(self) -> bool:
        """Whether no more trials will start; some may still run."""
        return not self._resumed and self._source.ended

    @property
    def idle(self) -> bool:
        """Whether no trial runs; one that runs out of memory does not count, and makes room for another."""
        return self._trials.idle

    def set_concurrent(self, concurrent: int) -> None:
        """Set how many trials run at a time, once that is known."""
        self._proposer.concurrent = concurrent

    def set_room(self, size: int) -> None:
        """Set how many bytes the models of all running trials may take together, where they share this machine's."""
        self._trials.room.size = size

    def report(self, number: int, report: dict[str, Any]) -> bool:
        """Take in what a trial's process reports; returns whether the trial continues.

        The report holds `state` (running, complete, failed or infeasible: out of memory), `curve` (all points so far)
        and perhaps `error`, `memory_measured_bytes` and `memory_cap_bytes`. A resumed process repeats its last point,
        and gets the same answer again.

        Raises:
            FailingSearchError: trials fail one after another in the same way; this one's failure is recorded.
        """
        verdict = CONTINUE
        for point in report["curve"]:
            verdict = self._judge.verdict(number, Validation(**point))
        if report["state"] == "infeasible":
            self._trials.ran_out(number, report["memory_measured_bytes"], report["memory_cap_bytes"])
        if report["state"] != "running":
            self._end(number, {key: report[key] for key in _OUTCOME if key in report})
        elif verdict == PRUNE:
            self._end(number, {"state": "pruned"})
        elif verdict == PAUSE:
            self._pause(number)
        return report["state"] == "running" and verdict not in (PRUNE, PAUSE)

    def lost(self, number: int, error: str) -> None:
        """A trial's process died again and again. Raises as `report` does."""
        if self._trials.is_running(number):
            self._end(number, {"state": "failed", "error": error})

    def _end(self, number: int, outcome: dict[str, Any]) -> None:
        self._trials.end(number, outcome)
        if outcome["state"] == "failed":
            self._failures.failed(number, outcome.get("error", ""))
        elif outcome["state"] in TRAINED:
            self._failures.trained()

    def _pause(self, number: int) -> None:
        self._trials.pause(number)
        self._failures.trained()
        for surplus in self._source.surplus():
            self._trials.end(surplus, {"state": "pruned"})
