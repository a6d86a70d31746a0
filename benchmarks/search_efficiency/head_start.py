"""Ceilings that begin with every model of a table at some rung, for nothing: what goes into beginning models?

From there on they choose as `front` does, which pieces of training are worth most. So they show what would be left to
do if to begin a model cost nothing, and how much losses at a rung tell of the end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from search.ledger.records import TrialRecord
from search.propose.front.strategy import FrontStrategy, Resume
from search.replay.table import Table
from search.replay.tally import Replay, Tally


def all_known_at(share: float) -> Callable[[Table, int, float, float], Replay]:
    """Replays `front` where the losses of all models are known up to this share of their training."""

    def run(table: Table, seed: int, trainings: float, enough: float) -> Replay:
        records = {model.record.number: model.record for model in table.models}
        known = {number: _rungs_until(share, record) for number, record in records.items()}
        tally = Tally(table, trainings=trainings, share=enough, known=known)
        strategy = FrontStrategy(table.objectives, seed)
        now = {number: _at(record, tally) for number, record in records.items()}
        while not tally.enough and isinstance(
            piece := strategy.next_piece(list(now.values()), (), sys.maxsize), Resume
        ):
            tally.train(records[piece.number])
            now[piece.number] = _at(records[piece.number], tally)
        return tally.replay(
            tuple(number for number, one in now.items() if one.paused and len(one.curve) > known[number])
        )

    return run


def _rungs_until(share: float, record: TrialRecord) -> int:
    return sum(rung <= share + 1e-9 for rung in record.candidate.training.rungs)


def _at(record: TrialRecord, tally: Tally) -> TrialRecord:
    """The record as it was when no more had been trained than is counted."""
    whole = tally.is_whole(record)
    return replace(
        record, state="complete" if whole else "pruned", paused=not whole, curve=record.curve[: tally.reached(record)]
    )
