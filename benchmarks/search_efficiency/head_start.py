"""Ceilings that begin with every model of a table at some rung, for nothing: what goes into beginning models?

From there on they choose as `front` does, which pieces of training are worth most. So they show what would be left to
do if to begin a model cost nothing, and how much losses at a rung tell of the end.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from search.ledger.records import TrialRecord
from search.propose.front.strategy import FrontStrategy, Resume
from search.replay.table import Table
from search.replay.tally import Replay, Tally


def front_with_head_start(head: float, table: Table, seed: int, *, trainings: float, share: float) -> Replay:
    """`front` where the losses of all models are known up to `head`, a share of their training."""
    records = {model.record.number: model.record for model in table.models}
    known = {number: _rungs_until(head, record) for number, record in records.items()}
    tally = Tally(table, trainings=trainings, share=share, known=known)
    strategy = FrontStrategy(table.objectives, seed)
    now = {number: _at(record, tally) for number, record in records.items()}
    while not tally.enough:
        piece = strategy.next_piece(list(now.values()), (), sys.maxsize)
        if not isinstance(piece, Resume):
            break
        record = records[piece.number]
        tally.train(record)
        now[piece.number] = _at(record, tally)
    stopped = [number for number, one in now.items() if one.paused and len(one.curve) > known[number]]
    return tally.replay(tuple(stopped))


def _rungs_until(share: float, record: TrialRecord) -> int:
    return sum(rung <= share + 1e-9 for rung in record.candidate.training.rungs)


def _at(record: TrialRecord, tally: Tally) -> TrialRecord:
    """The record as it was when no more had been trained than is counted."""
    curve = record.curve[: tally.reached(record)]
    if tally.is_whole(record):
        return replace(record, state="complete", paused=False, curve=curve)
    return replace(record, state="pruned", paused=True, curve=curve)
