"""One strategy over a table of trained models, from one or several seeds: what was found, after how much training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from msarch.errors import UserError, unknown
from search.ledger.ledger import Ledger
from search.ledger.records import TrialRecord
from search.ledger.studies import open_search_study
from search.propose.mirror import Mirror
from search.propose.pruners import make_pruner
from search.replay.executor import TableExecutor
from search.replay.proposer import TableProposer, no_profile
from search.replay.table import Table
from search.run.coordinator import Coordinator
from search.run.watcher import Silent
from search.space.schema.search import PRUNERS, SAMPLERS, SearchSettings
from search.space.space import Space


@dataclass(frozen=True, slots=True)
class Strategy:
    """Who proposes and who stops; msarch's default without arguments."""

    sampler: str = SearchSettings.model_fields["sampler"].default
    pruner: str = SearchSettings.model_fields["pruner"].default

    def __post_init__(self) -> None:
        for key, name, legal in (("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS)):
            if name not in legal:
                raise UserError(unknown(key, name, legal), key=key)

    def __str__(self) -> str:
        return f"{self.sampler} + {self.pruner}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What one replay found.

    Attributes:
        found: whenever a model was trained to its end: trainings spent by then on all models, and the share of the
            table's hypervolume that was found. A training is one model's whole budget, so half of it counts 0.5.
        spent: trainings in all.
        pruned: models that began and were stopped.
        false_prunes: those of them that stand on the table's true front.
    """

    found: tuple[tuple[float, float], ...]
    spent: float
    pruned: int
    false_prunes: int

    def trainings_to(self, share: float) -> float:
        """Trainings until this share of the table's hypervolume was found; infinite where it never was."""
        return next((trainings for trainings, found in self.found if found >= share - 1e-12), float("inf"))

    def hypervolume_at(self, trainings: float) -> float:
        """Share of the table's hypervolume found after so many trainings."""
        return max((found for at, found in self.found if at <= trainings + 1e-9), default=0.0)


def replay(
    table: Table,
    strategy: Strategy,
    seeds: Iterable[int],
    *,
    trainings: float | None = None,
    concurrent: int = 1,
) -> list[Replay]:
    """Replays of a strategy, one a seed; the same arguments give the same replays.

    Args:
        trainings: after how many to stop; by default when every model was proposed.
        concurrent: trials at a time.

    Raises:
        UserError: the strategy cannot search the table's space.
    """
    return [replay_once(table, strategy, seed, trainings=trainings, concurrent=concurrent) for seed in seeds]


def replay_once(
    table: Table, strategy: Strategy, seed: int, *, trainings: float | None = None, concurrent: int = 1
) -> Replay:
    """One replay; see `replay`."""
    space = space_under(table, strategy, seed)
    coordinator, proposer = open_replay(table, space, concurrent)
    complete: list[TrialRecord] = []
    found: list[tuple[float, float]] = []

    def ended(record: TrialRecord, spent: int) -> None:
        complete.append(record)
        found.append((spent / table.tokens, table.volume(complete) / table.whole_volume))

    limit = None if trainings is None else round(trainings * table.tokens)
    executor = TableExecutor(coordinator, proposer.models, concurrent=concurrent, tokens=limit, ended=ended)
    executor.run()
    pruned = [proposer.models[record.number].record.number for record in coordinator.records() if _is_pruned(record)]
    return Replay(tuple(found), executor.spent / table.tokens, len(pruned), table.front_among(pruned))


def _is_pruned(record: TrialRecord) -> bool:
    return record.state == "pruned"


def space_under(table: Table, strategy: Strategy, seed: int) -> Space:
    """The table's space under a strategy: its own settings, and designs to be tried first, do not count.

    Nor do its limits and constraints, which every model of the table has met.
    """
    if strategy.sampler == "grid" and table.space.combinations() is None:
        raise UserError("a grid needs a finite space, and this one has a continuous parameter", key="sampler")
    settings = SearchSettings.model_validate(
        {"sampler": strategy.sampler, "pruner": strategy.pruner, "seed": seed, "trials": len(table.models)}
    )
    return replace(table.space, search=settings, points=(), limits={}, constraints=())


def open_replay(table: Table, space: Space, concurrent: int) -> tuple[Coordinator, TableProposer]:
    """A search's coordinator and proposer, with everything in memory."""
    from optuna.storages import InMemoryStorage

    storage = InMemoryStorage()
    ledger = Ledger(open_search_study(storage, table.objectives), storage)
    pruner = make_pruner(space.search.pruner, seed=space.search.seed, rungs=space.rungs)
    proposer = TableProposer(table, space, ledger, concurrent)
    coordinator = Coordinator(
        None,
        ledger,
        Mirror(storage, pruner, table.objectives),
        proposer,
        profile=no_profile,
        trials=space.search.trials,
        watcher=Silent(),
    )
    return coordinator, proposer
