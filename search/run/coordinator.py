"""Decides what to train next, what to do at a rung, and when a search has ended.

Ray's searcher and scheduler only forward to it. It knows nothing of Ray, so a plain loop can drive it as well. Every
decision is written to the ledger before it takes effect.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from msarch.atomic_files import atomic_write
from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.attributes import CONTINUE, PRUNE
from search.ledger.folder import trial_folder
from search.ledger.ledger import Ledger
from search.ledger.records import TRAINED, TrialRecord, TrialState
from search.propose.mirror import Mirror
from search.run.duplicates import Duplicates
from search.run.judge import Judge
from search.run.proposer import Proposer, why_proposals_ended
from search.run.watcher import Watcher
from search.space.objectives import LIMITS

MAX_REJECTED = 200
"""Proposals in a row that may be infeasible or duplicates before a search ends."""

RAN_OUT, MIN_EXCESS = "memory_measured", 0.01
"""Constraint of a trial that ran out of memory, and its smallest value: fragments alone may fill a sufficient cap."""

_OUTCOME = ("state", "error", "memory_measured_bytes")  # what is recorded of a trial's last report


@dataclass(frozen=True, slots=True)
class Job:
    """A trial to train, from the start or from its checkpoint."""

    number: int
    candidate: Candidate


class Coordinator:
    """Drives one search.

    Args:
        folder: of the results; None where trials leave no files.
        ledger: records every decision; `mirror` holds the curves for the pruner; `proposer` asks the sampler.
        profile: gives the figures of a candidate known before training.
        trials: trained trials in all.
        watcher: gets every event.
    """

    def __init__(
        self,
        folder: Path | None,
        ledger: Ledger,
        mirror: Mirror,
        proposer: Proposer,
        *,
        profile: Callable[[Candidate], dict[str, Any]],
        trials: int,
        watcher: Watcher,
    ) -> None:
        self._folder, self._ledger, self._mirror, self._proposer = folder, ledger, mirror, proposer
        self._profile, self._trials, self._watcher = profile, trials, watcher
        self._judge, self._duplicates = Judge(ledger, mirror, watcher), Duplicates()
        self._states: dict[int, TrialState] = {}
        self._proposing, self._rejected = True, 0  # rejected: proposals in a row that led to no training
        self._resumed = deque(ledger.close_unfinished())
        self._recover(ledger.records())

    def records(self) -> list[TrialRecord]:
        """All records so far, by number."""
        return self._ledger.records()

    def next_job(self, patience: float = 0.5) -> Job | None:
        """The next trial to train; None where there is none, for now (see `ended`) or after `patience` seconds."""
        while self._resumed:
            job = self._settle(self._resumed.popleft())
            if job is not None:
                return job
        until = time.monotonic() + patience
        while not self.ended and not self._duplicates.waiting and time.monotonic() < until:
            job = self._settle(self._proposer.propose())
            if job is not None:
                return job
            self._stop_where_all_is_rejected()
        return None

    @property
    def ended(self) -> bool:
        """Whether no more trials will start; some may still run."""
        if self._resumed:
            return False
        return not self._proposing or self._proposer.exhausted or self._count_trained() >= self._trials

    @property
    def idle(self) -> bool:
        """Whether no trial runs; one that runs out of memory does not count, and makes room for another."""
        return "running" not in self._states.values()

    def set_concurrent(self, concurrent: int) -> None:
        """Set how many trials run at a time, once that is known."""
        self._proposer.concurrent = concurrent

    def report(self, number: int, report: dict[str, Any]) -> bool:
        """Take in what a trial's process reports; returns whether the trial continues.

        The report holds `state` (running, complete, failed or infeasible: out of memory), `curve` (all points so far)
        and perhaps `error`, `memory_measured_bytes` and `memory_cap_bytes`. A resumed process repeats its last point,
        and gets the same answer again.
        """
        verdict = CONTINUE
        for point in report["curve"]:
            verdict = self._judge.verdict(number, Validation(**point))
        if report["state"] == "infeasible":
            self._record_excess(number, report["memory_measured_bytes"], report["memory_cap_bytes"])
        if report["state"] != "running":
            self._finish(number, {key: report[key] for key in _OUTCOME if key in report})
        elif verdict == PRUNE:
            self._finish(number, {"state": "pruned"})
        return report["state"] == "running" and verdict != PRUNE

    def lost(self, number: int, error: str) -> None:
        """A trial's process died again and again."""
        if self._states[number] == "running":
            self._finish(number, {"state": "failed", "error": error})

    def _recover(self, records: list[TrialRecord]) -> None:
        """Take in what an earlier run of this search left."""
        self._proposer.note_end()
        self._mirror.match(records)
        for record in records:
            self._duplicates.note(record)
            if record.state == "running":
                self._states[record.number], self._rejected = "running", 0
            else:
                self._rejected = 0 if record.state in TRAINED else self._rejected
                self._note_end(record)

    def _note_end(self, record: TrialRecord) -> None:
        self._states[record.number] = record.state
        self._rejected += record.state not in TRAINED
        if self._folder is not None:
            shutil.rmtree(trial_folder(self._folder, record.number) / "checkpoint", ignore_errors=True)

    def _settle(self, number: int) -> Job | None:
        """Decide what becomes of a proposal: a job, or ended at once as infeasible or a duplicate."""
        self._states[number] = "running"
        record = self._ledger.record(number)
        candidate = self._proposer.runnable(record.candidate)
        profile = record.profile or self._profile(candidate)
        self._ledger.record_profile(number, profile)
        violations = self._proposer.violations(candidate, profile)
        self._ledger.record_constraints(number, violations)
        violation = self._proposer.describe(violations, profile)
        if violation:
            self._ledger.record_violation(number, violation)
            self._finish(number, {"state": "infeasible"})
            return None
        twin = self._duplicates.first(candidate.digest(), number)
        if twin != number:
            self._ledger.record_twin(number, twin)
            self._finish_duplicate(number, twin)
            return None
        return self._start(number, candidate, profile)

    def _start(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> Job:
        self._rejected = 0
        if self._folder is not None:
            with atomic_write(trial_folder(self._folder, number) / "config.yaml") as path:
                path.write_text(yaml.safe_dump(candidate.portable().to_dict(), sort_keys=False), encoding="utf-8")
        self._watcher.started(number, candidate, profile)
        return Job(number, candidate)

    def _record_excess(self, number: int, needed: int, cap: int) -> None:
        """Record by how much a trial was too large that ran out of memory, as a share of what it was allowed."""
        self._ledger.record_constraints(number, {RAN_OUT: max(needed / cap - 1, MIN_EXCESS)})
        needs, allowed = LIMITS["memory"].format_both(needed, cap)
        text = f"memory: ran out at {needs} or more, {allowed} allowed"
        self._ledger.record_violation(number, text)

    def _finish(self, number: int, outcome: dict[str, Any]) -> None:
        record = self._ledger.end(number, outcome)
        self._proposer.note_end()
        self._mirror.finish(record)
        self._note_end(record)
        self._watcher.finished(record)
        for duplicate in self._duplicates.released_by(number):
            self._finish_duplicate(duplicate, number)

    def _finish_duplicate(self, number: int, twin: int) -> None:
        if self._states[twin] == "running":
            self._duplicates.wait(number, twin)
        else:
            self._ledger.record_constraints(number, self._ledger.constraints(twin))
            self._finish(number, {"state": "duplicate"})

    def _stop_where_all_is_rejected(self) -> None:
        if self._rejected >= MAX_REJECTED and self._proposing:
            self._proposing = False
            self._watcher.message(why_proposals_ended(self.records()[-MAX_REJECTED:]))

    def _count_trained(self) -> int:
        counted = sum(state in (*TRAINED, "running") for state in self._states.values())
        return counted - self._duplicates.waiting
