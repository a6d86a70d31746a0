"""What becomes of each trial, from its proposal to its end; all of it is written down before it takes effect."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from msarch.atomic_files import atomic_write
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from search.ledger.folder import CONFIG, trial_folder
from search.ledger.ledger import Ledger
from search.ledger.records import TRAINED, TrialRecord, TrialState
from search.propose.mirror import Mirror
from search.run.duplicates import Duplicates
from search.run.kept import KeptCheckpoints
from search.run.proposer import Proposer
from search.run.room import Room
from search.run.watcher import Watcher
from search.space.objectives import LIMITS

RAN_OUT, MIN_EXCESS = "memory_measured", 0.01
"""Constraint of a trial that ran out of memory, and its smallest value: fragments alone may fill a sufficient cap."""
FREE_MEMORY = "free_memory"
"""Constraint of a trial that needs more memory than this machine has free."""


@dataclass(frozen=True, slots=True)
class Job:
    """A trial to train, from the start or from its checkpoint.

    Attributes:
        number: of the trial.
        candidate: as it is recorded.
        corpus: its text with this machine's paths.
    """

    number: int
    candidate: Candidate
    corpus: CorpusConfig


class Trials:
    """The trials of a search.

    Args:
        folder: of the results; None where trials leave no files.
        kept: the checkpoints from which finished trials can be continued.
        room: memory that they share; by default its size is not known.

    Attributes:
        rejected: proposals in a row that led to no training.
    """

    def __init__(
        self,
        folder: Path | None,
        ledger: Ledger,
        mirror: Mirror,
        proposer: Proposer,
        profile: Callable[[Candidate], Mapping[str, Any]],
        watcher: Watcher,
        kept: KeptCheckpoints | None = None,
        room: Room | None = None,
    ) -> None:
        self._folder, self._ledger, self._mirror, self._proposer = folder, ledger, mirror, proposer
        self._profile, self._watcher, self._kept = profile, watcher, kept
        self._duplicates = Duplicates()
        self._states: dict[int, TrialState] = {}
        self._counts = Counter[TrialState]()  # of trials by state
        self.rejected = 0
        self.room = room or Room()

    def recover(self, records: list[TrialRecord]) -> None:
        """Take in what an earlier run of this search left."""
        self._proposer.note_end()
        self._mirror.match(records)
        for record in records:
            self._duplicates.note(record)
            if record.state in (*TRAINED, "running"):
                self.rejected = 0
            elif not record.had_no_room:  # this machine may have room for more
                self.rejected += 1
            if record.state == "running" or record.paused:
                self._set_state(record.number, record.state)
            else:
                self._note_end(record)

    @property
    def idle(self) -> bool:
        """Whether no trial runs."""
        return not self._counts["running"]

    @property
    def trained(self) -> int:
        """How many trials were trained, or are being trained."""
        return sum(self._counts[state] for state in TRAINED) + self._counts["running"] - self.waiting

    @property
    def waiting(self) -> int:
        """How many duplicates wait for the trial that they repeat."""
        return self._duplicates.waiting

    def is_running(self, number: int) -> bool:
        """Whether that trial has not ended and is not paused."""
        return self._states[number] == "running"

    def must_wait(self, number: int) -> bool:
        """Whether a proposal can be trained, but has no room beside the trials that run."""
        record = self._ledger.record(number)
        profile = record.profile or self._profile(record.candidate)
        if not self.room.is_short_of(profile["memory_bytes"]) or self._is_refused(record, profile):
            return False
        return not self._proposer.describe(self._proposer.violations(record.candidate, profile), profile)

    def _is_refused(self, record: TrialRecord, profile: Mapping[str, Any]) -> bool:
        """Whether a trial needs more than is free; one that has begun, on a larger machine say, may try."""
        return not record.curve and self.room.too_small_for(profile["memory_bytes"])

    def admit(self, number: int) -> Job | None:
        """Decide what becomes of a proposal: a job, or ended at once as infeasible or a duplicate."""
        self._set_state(number, "running")
        record = self._ledger.record(number)
        candidate = record.candidate
        profile = record.profile or dict(self._profile(candidate))
        self._ledger.record_profile(number, profile)
        violations = self._proposer.violations(candidate, profile)
        self._ledger.record_constraints(number, violations)
        violation = self._proposer.describe(violations, profile)
        if violation:
            self._ledger.record_violation(number, violation)
            self.end(number, {"state": "infeasible"})
            return None
        if self._is_refused(record, profile):
            self._refuse(number, profile["memory_bytes"])
            return None
        twin = self._duplicates.first(candidate.digest(), number)
        if twin != number:
            self._ledger.record_twin(number, twin)
            self._end_duplicate(number, twin)
            return None
        return self._start(number, candidate, profile)

    def _refuse(self, number: int, needed: int) -> None:
        """End a trial that needs more memory than this machine has free."""
        assert self.room.size is not None
        self._ledger.record_constraints(number, {FREE_MEMORY: needed / max(self.room.size, 1) - 1})
        self._ledger.record_violation(number, self.room.refusal(needed))
        self.end(number, {"state": "infeasible"})

    def _start(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> Job:
        self.rejected = 0
        self.room.take(number, profile["memory_bytes"])
        if self._folder is not None:
            with atomic_write(trial_folder(self._folder, number) / CONFIG) as path:
                path.write_text(yaml.safe_dump(candidate.portable().to_dict(), sort_keys=False), encoding="utf-8")
        self._watcher.started(number, candidate, profile)
        return Job(number, candidate, self._proposer.runnable(candidate).corpus)

    def pause(self, number: int) -> None:
        """A trial waits to be resumed from its checkpoint."""
        record = self._ledger.record(number)
        assert record.paused, record
        self._set_state(number, record.state)
        self.room.leave(number)
        self._watcher.paused(record)
        self._release_duplicates(number)

    def ran_out(self, number: int, needed: int, cap: int) -> None:
        """Record by how much a trial was too large that ran out of memory, as a share of what it was allowed."""
        self._ledger.record_constraints(number, {RAN_OUT: max(needed / cap - 1, MIN_EXCESS)})
        needs, allowed = LIMITS["memory"].format_both(needed, cap)
        text = f"memory: ran out at {needs} or more, {allowed} allowed"
        self._ledger.record_violation(number, text)

    def end(self, number: int, outcome: dict[str, Any]) -> None:
        """A trial ends, with what `Ledger.end` takes."""
        record = self._ledger.end(number, outcome)
        self.room.leave(number)
        self._proposer.note_end()
        self._mirror.finish(record)
        self.rejected += record.state not in TRAINED
        self._note_end(record)
        self._watcher.finished(record)
        self._release_duplicates(number)

    def _note_end(self, record: TrialRecord) -> None:
        self._set_state(record.number, record.state)
        if self._folder is not None:
            shutil.rmtree(trial_folder(self._folder, record.number) / "checkpoint", ignore_errors=True)
        if self._kept is not None:
            self._kept.note_end(record)

    def _set_state(self, number: int, state: TrialState) -> None:
        if number in self._states:
            self._counts[self._states[number]] -= 1
        self._states[number] = state
        self._counts[state] += 1

    def _release_duplicates(self, number: int) -> None:
        for duplicate in self._duplicates.released_by(number):
            self._end_duplicate(duplicate, number)

    def _end_duplicate(self, number: int, twin: int) -> None:
        if self._states[twin] == "running":
            self._duplicates.wait(number, twin)
        else:
            self._ledger.record_constraints(number, self._ledger.constraints(twin))
            self.end(number, {"state": "duplicate"})
