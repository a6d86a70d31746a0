"""The strategy "front": each piece of training goes where the front is expected to gain most for it.

The decision rests on the ledger's records alone. So a search that is continued decides as one that was not interrupted,
and a decision that was made when a trial was paused still holds when a worker asks for the next piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from search.ledger.attributes import CONTINUE, PAUSE, Verdict
from search.ledger.ledger import Ledger
from search.ledger.records import TRAINED, TrialRecord
from search.propose.front.strategy import Design, Piece, Resume, Start, may_pause
from search.run.budget import tokens_of
from search.run.checkpoints import Checkpoints
from search.run.pool import Pool
from search.run.proposer import Proposer
from search.run.room import Room


class PieceStrategy(Protocol):
    """What chooses the pieces: `search.propose.front.strategy.FrontStrategy`."""

    def next_piece(self, records: Sequence[TrialRecord], pool: Sequence[Design], tokens_left: int) -> Piece | None:
        """The piece that is worth most for its tokens; None where there is none that fits."""

    def ranking(self, records: Sequence[TrialRecord]) -> Sequence[int]:
        """The paused trials, the least promising first."""


@dataclass(frozen=True)
class _Known:
    """Begin to train a known design of the space."""


class Allocator:
    """Shares out a budget of training tokens.

    Args:
        proposer: records designs that are started, known ones of the space first.
        pool: gives designs that may be started.
        tokens: of the whole search.
        checkpoints: of paused trials, and how much room they have.
        room: memory that running trials share; what has none is not in the pool.
    """

    def __init__(
        self,
        strategy: PieceStrategy,
        ledger: Ledger,
        proposer: Proposer,
        pool: Pool,
        *,
        tokens: int,
        checkpoints: Checkpoints,
        room: Room,
    ) -> None:
        self._strategy, self._ledger, self._proposer, self._pool = strategy, ledger, proposer, pool
        self._tokens, self._checkpoints, self._room = tokens, checkpoints, room
        self._seen: tuple[Sequence[TrialRecord], int | None] | None = None  # the records, and the size of the room
        self._key: Any = None
        self._piece: Piece | _Known | None = None

    def next_number(self) -> int | None:
        """The trial that is started or resumed next; None while nothing fits."""
        match self._next_piece(self._ledger.records()):
            case Resume(number):
                self._ledger.record_thaw(number, len(self._ledger.record(number).curve) - 1)
                return number
            case Start(design):
                return self._proposer.propose(design.params)
            case _Known():
                return self._proposer.propose()
        return None

    def verdict(self, record: TrialRecord) -> Verdict:
        """Whether a trial goes straight on: where its own next piece is worth most of all."""
        training = record.candidate.training
        if len(record.curve) == len(training.rungs) or not may_pause(training, training.rungs[len(record.curve) - 1]):
            return CONTINUE
        paused = replace(record, state="pruned", paused=True)
        records = [paused if other.number == record.number else other for other in self._ledger.records()]
        return CONTINUE if self._next_piece(records) == Resume(record.number) else PAUSE

    def surplus(self) -> list[int]:
        """The least promising of the paused trials, as many as their checkpoints take too much room."""
        records = self._ledger.records()
        paused = [record for record in records if record.paused]
        return self._checkpoints.surplus(paused, lambda: self._strategy.ranking(_trained(records)))

    @property
    def refused(self) -> Sequence[str]:
        """What the pool's last draws exceed."""
        return self._pool.refused

    @property
    def ended(self) -> bool:
        """Whether nothing runs, and nothing more fits the budget."""
        records = self._ledger.records()
        return not any(record.state == "running" for record in records) and self._next_piece(records) is None

    def _next_piece(self, records: Sequence[TrialRecord]) -> Piece | _Known | None:
        """The same as long as nothing has happened: Ray asks again and again."""
        size = self._room.size
        if self._seen is None or records is not self._seen[0] or size != self._seen[1]:
            key = size, [(record.number, record.state, record.paused, len(record.curve)) for record in records]
            if key != self._key:
                self._key, self._piece = key, self._choose(records)
            self._seen = records, size
        return self._piece

    def _choose(self, records: Sequence[TrialRecord]) -> Piece | _Known | None:
        left = self._tokens - sum(tokens_of(record, may_pause) for record in records)
        if self._ledger.waits and left >= self._proposer.tokens_of_waiting():
            return _Known()
        pool = () if self._ledger.waits else self._pool(records)  # a known design would take the place of what is drawn
        return self._strategy.next_piece(_trained(records), pool, left)


def _trained(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that were trained, if only in part, or are being trained."""
    states = (*TRAINED, "running")
    return [record for record in records if record.twin is None and (record.state in states or record.ran_out)]
