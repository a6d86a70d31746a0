"""The one object that owns the studies: what to train next, what to do at a rung, what became of it.

Ray's searcher and scheduler only pass on to it, and it knows nothing of Ray, so that it can be driven by a
plain loop as well. All that it decides is written to the journal before it acts on it.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from msarch.atomic_files import atomic_write
from msarch.config.candidate import Candidate
from msarch.units import format_bytes
from search.ledger.folder import (
    CANDIDATE,
    CONTINUE,
    CONTROL,
    OUTCOME,
    PROFILE,
    PRUNE,
    TWIN,
    VIOLATION,
    point_attribute,
    record_of,
    records_of,
    trial_folder,
)
from search.ledger.records import CurvePoint, TrialRecord
from search.ledger.studies import Mirror, quiet_optuna
from search.results.measures import objective_values
from search.run.proposer import Proposer, why_in_vain
from search.run.watcher import Watcher

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

IN_VAIN = 200
"""Proposals in a row that may be infeasible or duplicates before a search ends."""

RAN_OUT, LEAST_EXCESS = "memory_measured", 0.01
"""Constraint of a trial that ran out of memory, and its least value: fragments may use up a cap that would do."""

TRAINED = ("complete", "pruned", "failed", "running")


@dataclass(frozen=True, slots=True)
class Job:
    """A trial to be trained, or to be trained further."""

    number: int
    candidate: Candidate


class Coordinator:
    """Drives one search.

    Args:
        folder: of the results.
        study: the search study; `mirror` its curves; `proposer` asks it.
        profile: the figures of a candidate known before training.
        trials: trained trials in all.
        watcher: is told of everything.
    """

    def __init__(
        self,
        folder: Path,
        study: optuna.Study,
        mirror: Mirror,
        proposer: Proposer,
        *,
        objectives: Sequence[str],
        profile: Callable[[Candidate], dict[str, Any]],
        trials: int,
        watcher: Watcher,
    ) -> None:
        self._folder, self._study, self._mirror, self._proposer = folder, study, mirror, proposer
        self._objectives, self._profile, self._trials, self._watcher = tuple(objectives), profile, trials, watcher
        self._first: dict[str, int] = {}  # digest -> number of the trial that trains it
        self._waiting: dict[int, list[int]] = {}  # number of a running trial -> duplicates that wait for its end
        self._proposing = True
        self._in_vain = 0
        self._resumed = self._recover()

    def records(self) -> list[TrialRecord]:
        """All records so far, by number."""
        return records_of(self._study)

    def next_job(self, patience: float = 0.5) -> Job | None:
        """The next trial to train; None where there is none, for now (see `ended`) or after `patience` seconds."""
        while self._resumed:
            job = self._settle(self._resumed.popleft())
            if job is not None:
                return job
        until = time.monotonic() + patience
        while not self.ended and not self._waiting and time.monotonic() < until:
            job = self._settle(self._proposer.propose())
            if job is not None:
                return job
            self._check_vain()
        return None

    @property
    def ended(self) -> bool:
        """Whether no more trials start as things are; some may still run."""
        if self._resumed:
            return False
        return not self._proposing or self._proposer.exhausted or self._count_trained() >= self._trials

    @property
    def idle(self) -> bool:
        """Whether no trial runs; one that runs out of memory does not count, and makes room for another."""
        return all(OUTCOME in trial.user_attrs for trial in self._proposed())

    def set_concurrent(self, concurrent: int) -> None:
        """How many trials run at a time, where that is known only now."""
        self._proposer.concurrent = concurrent

    def report(self, number: int, report: dict[str, Any]) -> bool:
        """Take in what a trial's process tells; whether the trial is to go on.

        The report holds `state` (running, complete, failed or infeasible: out of memory), `curve` (all points so far)
        and perhaps `error`, `memory_measured_bytes` and `memory_cap_bytes`. A resumed process repeats its last point,
        and gets the answer of that time.
        """
        verdict = CONTINUE
        for point in report["curve"]:
            verdict = self._judge(number, CurvePoint(**point))
        if report["state"] == "infeasible":
            self._note_excess(number, report["memory_measured_bytes"], report["memory_cap_bytes"])
        if report["state"] != "running":
            self._finish(number, {key: report[key] for key in _OUTCOME if key in report})
        elif verdict == PRUNE:
            self._finish(number, {"state": "pruned"})
        return report["state"] == "running" and verdict != PRUNE

    def _note_excess(self, number: int, needed: int, cap: int) -> None:
        """Tell the study by how much a trial was too large that ran out of memory, as a share of what it might take."""
        self._set_constraint(number, RAN_OUT, max(needed / cap - 1, LEAST_EXCESS))
        text = f"memory: ran out at {format_bytes(needed)} or more, {format_bytes(cap)} allowed"
        self._set(number, VIOLATION, text)

    def lost(self, number: int, error: str) -> None:
        """A trial's process died again and again."""
        if self._record(number).state == "running":
            self._finish(number, {"state": "failed", "error": error})

    def _recover(self) -> deque[int]:
        """Close what was as good as closed; the numbers of trials to go on with."""
        resumed: deque[int] = deque()
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING" and CANDIDATE not in trial.user_attrs:
                self._tell(trial.number, None)
            elif trial.state.name == "RUNNING" and OUTCOME in trial.user_attrs:
                self._tell(trial.number, self._record(trial.number))
            elif trial.state.name == "RUNNING":
                resumed.append(trial.number)
        records = self.records()
        self._mirror.match(records)
        for record in records:
            self._note(record)
        return resumed

    def _note(self, record: TrialRecord) -> None:
        if (record.state in TRAINED and record.curve) or record.state == "failed" or record.ran_out:
            self._first.setdefault(record.candidate.digest(), record.number)
        if record.state in TRAINED:
            self._in_vain = 0
        else:
            self._in_vain += 1
        if record.state != "running":
            self._drop_checkpoint(record.number)

    def _settle(self, number: int) -> Job | None:
        """Decide what becomes of a proposal: a job, or told at once as infeasible or a duplicate."""
        candidate = self._proposer.runnable(self._record(number).candidate)
        profile = self._record(number).profile or self._profile(candidate)
        self._set(number, PROFILE, profile)
        violations = self._proposer.violations(candidate, profile)
        for name, value in violations.items():
            self._set_constraint(number, name, value)
        violation = self._proposer.describe(violations, profile)
        twin = self._first.setdefault(candidate.digest(), number) if not violation else number
        if violation:
            self._set(number, VIOLATION, violation)
            self._finish(number, {"state": "infeasible"})
        elif twin != number:
            self._set(number, TWIN, twin)
            self._finish_duplicate(number, twin)
        else:
            return self._start(number, candidate, profile)
        return None

    def _start(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> Job:
        self._in_vain = 0
        with atomic_write(trial_folder(self._folder, number) / "config.yaml") as path:
            path.write_text(yaml.safe_dump(candidate.portable().to_dict(), sort_keys=False), encoding="utf-8")
        self._watcher.started(number, candidate, profile)
        return Job(number, candidate)

    def _judge(self, number: int, point: CurvePoint) -> str:
        key, _ = point_attribute(point, CONTINUE)
        known = self._trial(number).user_attrs.get(key)
        if known is not None:
            verdict: str = known["verdict"]
            return verdict
        before = self._record(number)
        self._mirror.report(replace(before, curve=(*before.curve, point)))
        verdict = self._ask_pruner(before, point)
        self._set(number, *point_attribute(point, verdict))
        self._watcher.validated(number, point)
        return verdict

    def _ask_pruner(self, record: TrialRecord, point: CurvePoint) -> str:
        if point.rung == len(record.candidate.training.rungs) - 1:
            return CONTINUE
        if self._mirror.should_prune(record.number):
            return PRUNE
        return CONTROL if record.control_rung is None and self._mirror.is_control(record.number) else CONTINUE

    def _finish(self, number: int, outcome: dict[str, Any]) -> None:
        self._set(number, OUTCOME, outcome)
        record = self._record(number)
        self._tell(number, record)
        if record.state in TRAINED or (record.ran_out and record.curve):
            self._mirror.finish(record)
        if record.state in TRAINED or record.ran_out:
            self._drop_checkpoint(number)
        if record.state not in TRAINED:
            self._in_vain += 1
        self._watcher.finished(record)
        for duplicate in self._waiting.pop(number, ()):
            self._finish_duplicate(duplicate, number)

    def _finish_duplicate(self, number: int, twin: int) -> None:
        if self._record(twin).state == "running":
            self._waiting.setdefault(twin, []).append(number)
        else:
            for name, value in self._trial(twin).constraints.items():
                self._set_constraint(number, name, value)
            self._finish(number, {"state": "duplicate"})

    def _tell(self, number: int, record: TrialRecord | None) -> None:
        """Tell the study how a trial ended; without complete parameters, that it failed."""
        from optuna.trial import TrialState

        model = self._record(record.twin) if record is not None and record.twin is not None else record
        values = objective_values(model, self._objectives) if model is not None and model.state == "complete" else None
        state = TrialState.FAIL
        if values is not None:
            state = TrialState.COMPLETE
        elif model is not None and model.state in ("pruned", "infeasible"):
            state = TrialState.PRUNED
        with quiet_optuna():
            self._study.tell(number, values, state)
        self._proposer.note_end()

    def _check_vain(self) -> None:
        if self._in_vain < IN_VAIN or not self._proposing:
            return
        self._proposing = False
        self._watcher.message(why_in_vain(self.records()[-IN_VAIN:]))

    def _count_trained(self) -> int:
        outcomes = [trial.user_attrs.get(OUTCOME, {"state": "running"}) for trial in self._proposed()]
        return sum(outcome["state"] in TRAINED for outcome in outcomes) - sum(map(len, self._waiting.values()))

    def _proposed(self) -> list[FrozenTrial]:
        return [trial for trial in self._study.get_trials(deepcopy=False) if CANDIDATE in trial.user_attrs]

    def _drop_checkpoint(self, number: int) -> None:
        shutil.rmtree(trial_folder(self._folder, number) / "checkpoint", ignore_errors=True)

    def _trial(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _record(self, number: int) -> TrialRecord:
        return record_of(self._trial(number))

    def _set(self, number: int, key: str, value: Any) -> None:
        trial = self._trial(number)
        if trial.user_attrs.get(key) != value:
            self._study._storage.set_trial_user_attr(trial._trial_id, key, value)

    def _set_constraint(self, number: int, name: str, value: float) -> None:
        """As `Trial.set_constraint` does, which only a trial of this process has."""
        trial = self._trial(number)
        if name not in trial.constraints:
            self._study._storage.set_trial_system_attr(trial._trial_id, f"constraints:{name}", float(value))


_OUTCOME = ("state", "error", "memory_measured_bytes")
