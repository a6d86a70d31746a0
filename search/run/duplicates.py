"""Which trial trains a candidate, and which later ones only repeat it."""

from __future__ import annotations

from search.ledger.records import TRAINED, TrialRecord


class Duplicates:
    """Candidates by digest, each with the trial that trains it, and duplicates that wait for such a trial to end."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._waiting: dict[int, list[int]] = {}

    def note(self, record: TrialRecord) -> None:
        """Take in a trial of an earlier run; one that was resumed before its first rung may still be a duplicate."""
        started = record.state in (*TRAINED, "running") and record.curve
        if started or record.state == "failed" or record.ran_out:
            self.first(record.candidate.digest(), record.number)

    def first(self, digest: str, number: int) -> int:
        """The trial that trains the candidate of that digest: `number`, unless there is one already."""
        return self._first.setdefault(digest, number)

    def wait(self, number: int, twin: int) -> None:
        """Let a duplicate wait until its twin has ended."""
        self._waiting.setdefault(twin, []).append(number)

    def released_by(self, twin: int) -> list[int]:
        """The duplicates that waited for this trial, which has ended."""
        return self._waiting.pop(twin, [])

    @property
    def waiting(self) -> int:
        """How many duplicates wait."""
        return sum(map(len, self._waiting.values()))
