"""Trainings with further seeds, made up."""

from __future__ import annotations

from search.ledger.records import TrialRecord
from search.results.confirm.plan import reseeded
from search.results.confirm.runs import Run


def runs_of(record: TrialRecord, *losses: float) -> list[Run]:
    """The trial with as many further seeds as losses, on the test split."""
    candidates = [reseeded(record.candidate, further) for further in range(1, len(losses) + 1)]
    return [
        Run(
            trial=record.number,
            seed=candidate.seed,
            candidate=candidate.digest(),
            split="test",
            loss=loss,
            bits_per_byte=loss / 2,
        )
        for candidate, loss in zip(candidates, losses, strict=True)
    ]
