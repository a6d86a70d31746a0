"""What a replay trains, counted: tokens spent, and the hypervolume of the models that were trained to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.replay.table import Table

SHARES = (0.90, 0.95, 0.98)
"""Of the table's hypervolume, to which trainings are counted."""
TRAININGS = (5, 10, 20, 40)
"""After which the hypervolume is given, as a share of the table's."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What one replay found.

    Attributes:
        found: whenever a model was trained to its end: trainings spent by then on all models, and the share of the
            table's hypervolume that was found. A training is one model's whole budget, so half of it counts 0.5.
        spent: trainings in all.
        pruned: models that began and were stopped.
        false_prunes: those of them that stand on the table's true front.
        begun: the models that began to train, by the numbers of the table's trials, in that order.
        stopped: those of them that were stopped.
        completed: those that were trained to their end, in the order of `found`.
    """

    found: tuple[tuple[float, float], ...]
    spent: float
    pruned: int
    false_prunes: int
    begun: tuple[int, ...] = ()
    stopped: tuple[int, ...] = ()
    completed: tuple[int, ...] = ()

    def trainings_to(self, share: float) -> float:
        """Trainings until this share of the table's hypervolume was found; infinite where it never was."""
        return next((trainings for trainings, found in self.found if found >= share - 1e-12), float("inf"))

    def hypervolume_at(self, trainings: float) -> float:
        """Share of the table's hypervolume found after so many trainings."""
        return max((found for at, found in self.found if at <= trainings + 1e-9), default=0.0)


class Tally:
    """Counts while models of a table are "trained", rung by rung.

    Args:
        trainings: after how many it is enough; None for never.
        share: of the table's hypervolume, before which it is not enough.
        known: rungs of models, by the number of its trial, that are known for nothing.
    """

    def __init__(
        self,
        table: Table,
        *,
        trainings: float | None = None,
        share: float = 0.0,
        known: Mapping[int, int] | None = None,
    ) -> None:
        self._table = table
        self._limit = None if trainings is None else round(trainings * table.tokens)
        self._share = share
        self._tokens = 0
        self._known = known or {}
        self._reached: dict[int, int] = {}  # rungs behind each model that began, by the number of its trial
        self._complete: list[TrialRecord] = []
        self._found: list[tuple[float, float]] = []

    def next_point(self, record: TrialRecord) -> Validation:
        """The rung that a model of the table reaches next."""
        return record.curve[self.reached(record)]

    def reached(self, record: TrialRecord) -> int:
        """How many rungs of a model were trained, or are known."""
        return self._reached.get(record.number, self._known.get(record.number, 0))

    def is_whole(self, record: TrialRecord) -> bool:
        """Whether a model was trained to its end."""
        return self.reached(record) == len(record.curve)

    def train(self, record: TrialRecord) -> Validation:
        """Train a model of the table to its next rung: what is measured there."""
        point, rung = self.next_point(record), self.reached(record)
        self._tokens += point.tokens - (record.curve[rung - 1].tokens if rung else 0)
        self._reached[record.number] = rung + 1
        if self.is_whole(record):
            self._complete.append(record)
            self._found.append((self.spent, self._table.volume(self._complete) / self._table.whole_volume))
        return point

    @property
    def spent(self) -> float:
        """Trainings so far."""
        return self._tokens / self._table.tokens

    @property
    def enough(self) -> bool:
        """Whether as much was trained, and as much found, as was asked for."""
        found = self._found[-1][1] if self._found else 0.0
        return self._limit is not None and self._tokens >= self._limit and found >= self._share - 1e-12

    def replay(self, stopped: tuple[int, ...]) -> Replay:
        """What was found, and which models were stopped, by the numbers of the table's trials."""
        false_prunes = self._table.front_among(stopped)
        completed = tuple(record.number for record in self._complete)
        begun = tuple(self._reached)
        return Replay(tuple(self._found), self.spent, len(stopped), false_prunes, begun, stopped, completed)
