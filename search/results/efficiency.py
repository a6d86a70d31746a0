"""How a search spent its training tokens: how its front grew with them, and how many the pruner saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.ledger.records import TRAINED, TrialRecord
from search.propose.false_prunes import false_prunes
from search.results.front import hypervolume, pareto_front


def tokens_of(record: TrialRecord) -> int:
    """Training tokens that a trial has read, up to its last validation."""
    return record.curve[-1].tokens if record.curve else 0


def hypervolume_growth(
    records: Sequence[TrialRecord], objectives: Sequence[str], reference: Mapping[str, float]
) -> list[tuple[int, float, int]]:
    """Tokens spent so far, hypervolume of the front so far, and number of the trial, after each trained trial.

    Trials are taken in the order of their numbers, in which they were begun: of a parallel search that is nearly
    the order in which they ended.
    """
    front: list[TrialRecord] = []
    tokens, volume = 0, 0.0
    growth = [(0, 0.0, -1)]
    for record in sorted(records, key=lambda record: record.number):
        if record.state not in TRAINED or not record.curve:
            continue
        tokens += tokens_of(record)
        grown = pareto_front([*front, record], objectives)
        if [each.number for each in grown] != [each.number for each in front]:
            front = grown
            volume = hypervolume(front, objectives, reference=reference)
        growth.append((tokens, volume, record.number))
    return growth


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruning:
    """What the pruner did.

    Attributes:
        pruned: trials that it stopped.
        saved: share of the tokens of all trained trials that were never spent because of it.
        controls: trials that it would have stopped, which ran to their end to see whether it was right.
        wrong: of these, how many ended ahead of every trial that costs no more.
    """

    pruned: int
    saved: float
    controls: int
    wrong: int


def pruning(records: Sequence[TrialRecord], objectives: Sequence[str]) -> Pruning:
    """What the pruner saved, and how often it was wrong."""
    pruned = [record for record in records if record.state == "pruned"]
    unspent = sum(max(0, record.candidate.training.tokens - tokens_of(record)) for record in pruned)
    spent = sum(tokens_of(record) for record in records if record.state in TRAINED)
    wrong, controls = false_prunes(records, objectives)
    saved = unspent / (unspent + spent) if unspent + spent else 0.0
    return Pruning(pruned=len(pruned), saved=saved, controls=controls, wrong=wrong)
