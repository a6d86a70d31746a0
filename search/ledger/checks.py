"""Checks that a trial's record is what was written: its checksum, the study's own values, impossible figures.

The checksum is over everything that the outcome rests on: candidate, profile, curve with verdicts, violation, twin,
outcome, constraints, and the state and values that the study is told. It is written just before the study is told.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from msarch.errors import quoted
from search.ledger.attributes import PAUSE, RUNG, THAW, record_of
from search.ledger.metrics import objective_values
from search.ledger.records import TrialRecord, TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CHECK = "check"
"""Attribute of a trial: its number, the state and values that the study is told, and the checksum over all."""


class DamagedTrialError(ValueError):
    """A trial in the journal is not what a search wrote; the message says what is wrong with it."""


def make_check(trial: FrozenTrial, state: str, values: Mapping[str, float] | None, names: Iterable[str]) -> Any:
    """What is written as CHECK of a trial whose other attributes are complete.

    Args:
        state: name of Optuna's state, such as "COMPLETE".
        values: by objective; None where the study is told none.
        names: of the objectives.
    """
    told = {"number": trial.number, "state": state, "values": {name: (values or {}).get(name) for name in names}}
    return {**told, "sum": _sum(trial, told)}


def _sum(trial: FrozenTrial, told: dict[str, Any]) -> str:
    rests_on = {
        "told": told,
        "attributes": {key: value for key, value in trial.user_attrs.items() if key != CHECK},
        "constraints": trial.constraints,
    }
    return hashlib.blake2b(json.dumps(rests_on, sort_keys=True).encode(), digest_size=8).hexdigest()


def checked_record(trial: FrozenTrial, objectives: tuple[str, ...]) -> TrialRecord:
    """The record of a trial. Raises DamagedTrialError where it is not what was written, or is impossible."""
    check = trial.user_attrs.get(CHECK)
    if check is not None:
        _verify(trial, check)
    try:
        record = record_of(trial)
        _refuse_impossible(record)
        _refuse_thaws(trial.user_attrs)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DamagedTrialError(_one_line(error)) from None
    if trial.state.is_finished() and (record.state == "running" or record.paused):
        raise DamagedTrialError("the study says that it ended, but its outcome is missing")
    if trial.state.name == "COMPLETE" and check is None and record.state == "complete":
        _compare(record, trial.values, objectives)  # recorded before there were checksums
    return record


def _verify(trial: FrozenTrial, check: Any) -> None:
    if not isinstance(check, dict) or not isinstance(check.get("values"), dict):
        raise DamagedTrialError("its checksum cannot be read")
    told = {key: check.get(key) for key in ("number", "state", "values")}
    if check.get("sum") != _sum(trial, told) or check["number"] != trial.number:
        raise DamagedTrialError("it does not match its checksum")
    if trial.state.is_finished():
        values = [value for value in check["values"].values() if value is not None]
        if trial.state.name != check["state"] or list(trial.values or []) != values:
            raise DamagedTrialError("the study's state or values differ from those recorded")


def _refuse_impossible(record: TrialRecord) -> None:
    if record.state not in get_args(TrialState):
        raise DamagedTrialError(f"its state is {quoted(str(record.state))}")
    for index, point in enumerate(record.curve):
        if point.rung != index:
            raise DamagedTrialError(f"rung {index} of its curve is missing")
        for name in ("loss", "bits_per_byte", "seconds", "tokens"):
            _number(
                getattr(point, name), f"{name} at rung {index}", minimum=0 if name in ("seconds", "tokens") else None
            )
    for name, value in record.profile.items():
        if isinstance(value, (int, float)):
            _number(value, name, minimum=1 if name == "memory_bytes" else 0)
    if record.state == "complete" and not record.curve:
        raise DamagedTrialError("it is complete without a validation")
    if record.state == "infeasible" and not record.violation:
        raise DamagedTrialError("it is infeasible without a limit that it exceeds")
    if record.state == "duplicate" and not (isinstance(record.twin, int) and 0 <= record.twin < record.number):
        raise DamagedTrialError(f"it is a duplicate of trial {record.twin}")


def _refuse_thaws(attributes: Mapping[str, Any]) -> None:
    """A trial is resumed only where it was paused."""
    for key in attributes:
        rung = key.removeprefix(THAW)
        if key.startswith(THAW) and attributes.get(f"{RUNG}{rung}", {}).get("verdict") != PAUSE:
            raise DamagedTrialError(f"it was resumed at rung {rung}, where it was not paused")


def _number(value: object, name: str, minimum: float | None) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise DamagedTrialError(f"its {name} is {value!r}")
    if minimum is not None and value < minimum:
        raise DamagedTrialError(f"its {name} is {value!r}")


def _compare(record: TrialRecord, told: Iterable[float], objectives: tuple[str, ...]) -> None:
    """Whether the values that the study was told are those of the record, but for the last bits of a logarithm."""
    values = objective_values(record, objectives) or ()
    if len(values) != len(list(told)) or not all(map(_equal, values, told)):
        raise DamagedTrialError(f"the study's values of it are {list(told)}, its record gives {list(values)}")


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
