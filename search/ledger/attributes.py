"""A trial's attributes in the journal, and the record that they make.

They are written in the order in which a trial lives: `candidate` closes the proposal, `profile` follows, then
`rung/0`, `rung/1` ..., then `outcome`, and last `check`, the checksum over all of them. After that the study is told.
A crash between any two of them is repaired when the folder is opened again.

The verdict at a rung may be to pause. The trial then waits, still open in Optuna's study, until `thaw/RUNG` says that
it was resumed there, or an outcome ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord, TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CANDIDATE, PROFILE, RUNG, TWIN, VIOLATION, OUTCOME = "candidate", "profile", "rung/", "twin", "violation", "outcome"
THAW = "thaw/"

Verdict = Literal["continue", "prune", "control", "pause"]
"""What became of a trial at a rung; "control": the pruner would have stopped it, and let it run to see how it ends."""
CONTINUE: Verdict = "continue"
PRUNE: Verdict = "prune"
CONTROL: Verdict = "control"
PAUSE: Verdict = "pause"


def rung_attribute(point: Validation, verdict: Verdict) -> tuple[str, dict[str, Any]]:
    """The attribute that holds a point of a curve, and what the pruner decided there."""
    return f"{RUNG}{point.rung}", {"point": asdict(point), "verdict": verdict}


def verdict_at(attributes: Mapping[str, Any], rung: int) -> Verdict | None:
    """What was decided at a rung, None where the trial has not reached it; a pause that is over is no pause."""
    known = attributes.get(f"{RUNG}{rung}")
    if known is None:
        return None
    verdict: Verdict = known["verdict"]
    return CONTINUE if verdict == PAUSE and f"{THAW}{rung}" in attributes else verdict


def record_of(trial: FrozenTrial, candidate: Candidate | None = None) -> TrialRecord:
    """The record that a trial's attributes hold. A duplicate does not have its twin's figures yet: see `with_twins`.

    Args:
        candidate: the trial's, where it has been read before: reading it takes most of the time.
    """
    attributes = trial.user_attrs
    candidate = candidate or Candidate.from_dict(attributes[CANDIDATE])
    rungs = sorted((key for key in attributes if key.startswith(RUNG)), key=lambda key: int(key.removeprefix(RUNG)))
    curve = tuple(_validation(attributes[key]["point"], candidate) for key in rungs)
    controls = [point.rung for key, point in zip(rungs, curve, strict=True) if attributes[key]["verdict"] == CONTROL]
    paused = OUTCOME not in attributes and bool(curve) and verdict_at(attributes, curve[-1].rung) == PAUSE
    outcome: dict[str, Any] = attributes.get(OUTCOME, {})
    state: TrialState = outcome.get("state", "pruned" if paused else "running")
    return TrialRecord(
        number=trial.number,
        state=state,
        candidate=candidate,
        profile=attributes.get(PROFILE, {}),
        curve=curve,
        loss=curve[-1].loss if state == "complete" else None,
        bits_per_byte=curve[-1].bits_per_byte if state == "complete" else None,
        seconds=curve[-1].seconds if curve else 0.0,
        memory_measured_bytes=outcome.get("memory_measured_bytes"),
        violation=attributes.get(VIOLATION, ""),
        twin=attributes.get(TWIN),
        error=outcome.get("error", ""),
        control_rung=controls[0] if controls else None,
        paused=paused,
    )


def _validation(point: dict[str, Any], candidate: Candidate) -> Validation:
    """A point of a curve; earlier versions did not record its step, which follows from its tokens."""
    if "step" not in point:
        point = point | {"step": point["tokens"] // (candidate.training.batch_size * candidate.model.context)}
    return Validation(**point)


def with_twins(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The same records, each duplicate with the loss of its twin."""
    by_number = {record.number: record for record in records}
    return [
        with_twin(record, by_number.get(-1 if record.twin is None else record.twin)) for record in by_number.values()
    ]


def with_twin(record: TrialRecord, twin: TrialRecord | None) -> TrialRecord:
    """A record; a duplicate's with the loss of its twin."""
    if record.state != "duplicate" or twin is None:
        return record
    return replace(record, loss=twin.loss, bits_per_byte=twin.bits_per_byte)
