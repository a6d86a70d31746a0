"""Every write to a search study, and what is known of each trial by number.

Every decision about a trial is written before it is acted on, in the order that `search.ledger.attributes` gives. All
values go through Optuna's journal, one line each, so that a crash loses what was being written and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.attributes import (
    CANDIDATE,
    OUTCOME,
    PROFILE,
    THAW,
    TWIN,
    VIOLATION,
    Verdict,
    record_of,
    rung_attribute,
    verdict_at,
    with_twin,
)
from search.ledger.checks import CHECK, make_check
from search.ledger.folder import JOURNAL
from search.ledger.identity import check_identity, record_identity
from search.ledger.journal import repair
from search.ledger.line_sums import SummedJournal, sums_path
from search.ledger.metrics import objective_values
from search.ledger.reading import REMEDY, damage_reported, read_ledger
from search.ledger.records import TrialRecord
from search.ledger.studies import SEARCH, StudyTrials, open_search_study, quiet_optuna

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

EXHAUSTED = "exhausted"
"""Attribute of the search study: its grid has been proposed whole."""

_SUMS_LOST = (
    "is missing, so nobody can tell whether trials at the end are lost; restore it from a copy, or create it as an "
    "empty file to continue with the trials that are there"
)


def open_ledger(folder: Path, objectives: tuple[str, ...], identity: Mapping[str, Any]) -> Ledger:
    """The ledger of a results folder for writing, new or continued; only with the folder's lock held.

    The journal is checked first, then whether it is the same search. Only then is a crash repaired.

    Raises:
        UserError: the folder holds the search of another space, or its journal is damaged, or its sums are gone.
    """
    from optuna.storages import JournalStorage

    from msarch.errors import UserError

    journal = folder.resolve() / JOURNAL
    notes: tuple[str, ...] = ()
    if journal.exists():
        found = read_ledger(folder)
        if found.sums_lost:
            raise UserError(_SUMS_LOST, file=str(sums_path(journal)))
        check_identity(found.study_attributes, identity, folder)
        notes = found.notes
    elif sums_path(journal).exists():
        raise UserError(f"is missing, though a search was recorded; {REMEDY}", file=str(journal))
    with damage_reported(journal):
        repair(journal, study=SEARCH, last_attr=CANDIDATE)
        storage = JournalStorage(SummedJournal(_touched(journal)))
        study = open_search_study(storage, objectives)
        record_identity(study, identity)
        return Ledger(study, storage, notes)


def _touched(journal: Path) -> Path:
    journal.touch()
    return journal


class Ledger:
    """The search study, written.

    Attributes:
        study: to ask for trials; everything written about them goes through this object.
        storage: holds the study, and others beside it.
        objectives: names of what the search minimises.
        notes: what a user should know of how far that which was recorded before can be relied on.
    """

    def __init__(self, study: optuna.Study, storage: BaseStorage, notes: tuple[str, ...] = ()) -> None:
        self.study, self.storage, self.notes = study, storage, notes
        self.objectives: tuple[str, ...] = tuple(study.metric_names or ())
        self._trials = StudyTrials(study)
        self._known: dict[int, TrialRecord] = {}  # records that are as the study has them
        self._candidates: dict[int, Candidate] = {}  # of trials, which never change
        self._all: list[TrialRecord] | None = None  # as the study has them, or None where that must be looked up
        self._exhausted = EXHAUSTED in study.user_attrs

    def records(self) -> list[TrialRecord]:
        """Every trial that has been proposed, by number. The same list until something is written: do not change it."""
        if self._all is None:
            self._all = [self.record(trial.number) for trial in self._trials.all() if CANDIDATE in trial.user_attrs]
        return self._all

    def record(self, number: int) -> TrialRecord:
        """One trial; a duplicate with the figures of its twin."""
        if number not in self._known:
            found = self._known[number] = record_of(self._trials.get(number), self._candidates.get(number))
            self._candidates[number] = found.candidate
        record = self._known[number]
        return record if record.twin is None else with_twin(record, self.record(record.twin))

    def constraints(self, number: int) -> dict[str, float]:
        """By how much a trial exceeds each limit and constraint."""
        return dict(self._trials.get(number).constraints)

    def verdict(self, number: int, rung: int) -> Verdict | None:
        """What was decided at a rung, None where the trial has not reached it; "continue" where a pause is over."""
        return verdict_at(self._trials.get(number).user_attrs, rung)

    @property
    def waits(self) -> bool:
        """Whether known designs wait to be asked for."""
        return any(trial.state.name == "WAITING" for trial in self._trials.all())

    def next_number(self) -> int:
        """The number of the trial that `study.ask` gives next: the first that waits, else a new one."""
        trials = self._trials.all()
        return next((trial.number for trial in trials if trial.state.name == "WAITING"), len(trials))

    def record_candidate(self, number: int, candidate: Candidate) -> None:
        """What is proposed, in its portable form; this closes the proposal."""
        self._write(number, CANDIDATE, candidate.portable().to_dict())

    def record_profile(self, number: int, profile: dict[str, Any]) -> None:
        """The figures known before training."""
        self._write(number, PROFILE, profile)

    def record_constraints(self, number: int, values: Mapping[str, float]) -> None:
        """By how much a trial exceeds each limit and constraint: the sampler learns from it."""
        for name, value in values.items():
            self._trials.set_constraint(number, name, value)

    def record_violation(self, number: int, violation: str) -> None:
        """The limit that a trial exceeds, in words."""
        self._write(number, VIOLATION, violation)

    def record_twin(self, number: int, twin: int) -> None:
        """The trial that a duplicate repeats."""
        self._write(number, TWIN, twin)

    def record_rung(self, number: int, point: Validation, verdict: Verdict) -> None:
        """A validation, and what was decided there."""
        self._write(number, *rung_attribute(point, verdict))

    def record_thaw(self, number: int, rung: int) -> None:
        """A trial that was paused at this rung is resumed."""
        self._write(number, f"{THAW}{rung}", True)

    def end(self, number: int, outcome: dict[str, Any]) -> TrialRecord:
        """How a trial ended: `state`, and perhaps `error` and `memory_measured_bytes`. Its record."""
        self._write(number, OUTCOME, outcome)
        return self._close(number)

    def close_unfinished(self) -> list[int]:
        """Close trials whose end was already decided when the last process died; returns the trials to continue.

        Paused ones are not among these: they wait to be resumed.
        """
        to_continue = []
        for trial in self._trials.all():
            if trial.state.name != "RUNNING":
                continue
            if CANDIDATE not in trial.user_attrs:  # without complete parameters no sampler could learn from it
                self._tell(trial.number, "FAIL", None)
            elif OUTCOME in trial.user_attrs:
                self._close(trial.number)
            elif not self.record(trial.number).paused:
                to_continue.append(trial.number)
        return to_continue

    @property
    def exhausted(self) -> bool:
        """Whether the whole grid was proposed, as recorded."""
        return self._exhausted

    def record_exhausted(self) -> None:
        """Record that the whole grid was proposed, so that the next start knows."""
        if not self.exhausted:
            self.study.set_user_attr(EXHAUSTED, True)
            self._exhausted = True

    def _close(self, number: int) -> TrialRecord:
        """Write the checksum of a trial whose outcome is known, and tell the study.

        Optuna's states: an infeasible trial is told PRUNED, not FAIL, since samplers learn nothing from a failure.
        """
        record = self.record(number)
        twin = self.record(record.twin) if record.twin is not None else record
        values = objective_values(twin, self.objectives) if twin.state == "complete" else None
        state = "COMPLETE" if values else "PRUNED" if twin.state in ("pruned", "infeasible") else "FAIL"
        named = dict(zip(self.objectives, values, strict=True)) if values else None
        trial = self._trials.get(number)
        if CHECK not in trial.user_attrs:
            self._write(number, CHECK, make_check(trial, state, named, self.objectives))
        self._tell(number, state, values)
        return self.record(number)

    def _write(self, number: int, key: str, value: Any) -> None:
        self._known.pop(number, None)
        self._all = None
        self._trials.set_attribute(number, key, value)

    def _tell(self, number: int, state: str, values: tuple[float, ...] | None) -> None:
        from optuna.trial import TrialState

        with quiet_optuna():
            self.study.tell(number, values, TrialState[state])
