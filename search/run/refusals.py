"""Why a search has nothing more to train: what excluded its last proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msarch.errors import UserError, quoted
from search.ledger.records import NO_ROOM, TrialRecord
from search.space.limits import DOES_NOT_HOLD
from search.space.space import Space


@dataclass(frozen=True, slots=True)
class _Tightest:
    """The limit or constraint that excluded most of some proposals: its name, of how many, and one of them in words."""

    name: str
    count: int
    example: str

    @classmethod
    def of(cls, told: Sequence[str]) -> _Tightest:
        names = [violation.split(":")[0] for violation in told]
        name = max(dict.fromkeys(names), key=names.count)
        return cls(name, names.count(name), told[names.index(name)])

    @property
    def is_constraint(self) -> bool:
        return self.example == f"{self.name}: {DOES_NOT_HOLD}"


def why_proposals_ended(violations: Sequence[str]) -> str:
    """Why proposals end that all had been tried before (an empty text) or were infeasible (what they exceed)."""
    told = list(filter(None, violations))
    if not told:
        return f"the last {len(violations)} proposals had all been tried before: the space is practically exhausted"
    last = f"the last {len(violations)} proposals were infeasible or had been tried before"
    tightest = _Tightest.of(told)
    if tightest.is_constraint:
        return (
            f"{last}; the constraint {quoted(tightest.name)} does not hold for {tightest.count} of them: loosen it, or "
            "give the space candidates that meet it"
        )
    remedy = "free some" if tightest.name == NO_ROOM else "raise it"
    return (
        f"{last}; the tightest limit is {tightest.name}, exceeded by {tightest.count} of them (such as "
        f"{tightest.example}): {remedy}, or make the candidates smaller"
    )


def is_begun(record: TrialRecord) -> bool:
    """Whether a trial was trained, if only in part."""
    return record.state not in ("infeasible", "duplicate") or record.ran_out


def check_begun(records: Sequence[TrialRecord], refused: Sequence[str], space: Space) -> None:
    """Check a search that has ended.

    Args:
        refused: what its last proposals exceed; an empty text for one that had been tried before.

    Raises:
        UserError: nothing was trained, since limits, constraints or this machine's memory admit nothing.
    """
    told = list(filter(None, refused))
    if not told or any(map(is_begun, records)):
        return
    tightest, key = _Tightest.of(told), ""  # without a key, this machine is the reason
    if tightest.is_constraint:
        key = "constraints"
    elif tightest.name in space.limits:
        key = f"limits.{tightest.name}"
    raise UserError(f"nothing was trained: {why_proposals_ended(refused)}", key=key)
