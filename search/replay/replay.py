"""One strategy over a table of trained models, from one or several seeds: what was found, after how much training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msarch.errors import UserError, unknown
from search.ledger.ledger import Ledger
from search.ledger.studies import open_search_study
from search.propose.mirror import Mirror
from search.propose.pruners import make_pruner
from search.replay.executor import TableExecutor
from search.replay.pool import TablePool
from search.replay.proposer import TableProposer, no_profile
from search.replay.table import Table
from search.replay.tally import SHARES, TRAININGS, Replay, Tally
from search.run.checkpoints import Checkpoints
from search.run.coordinator import Coordinator
from search.run.watcher import Silent
from search.space.schema.search import PARTS_OF_PRUNE, PRUNERS, SAMPLERS, STRATEGIES, SearchSettings
from search.space.space import Space

if TYPE_CHECKING:
    from search.run.allocator import Allocator


@dataclass(frozen=True, slots=True)
class Strategy:
    """How trials are chosen, by the names that a space's ``search:`` has; msarch's default without arguments."""

    sampler: str | None = None
    pruner: str | None = None
    strategy: str | None = None

    def __post_init__(self) -> None:
        legal = {"sampler": SAMPLERS, "pruner": PRUNERS, "strategy": STRATEGIES}
        for key, name in self._given().items():
            if name not in legal[key]:
                raise UserError(unknown(key, name, legal[key]), key=key)
        for key in PARTS_OF_PRUNE:
            if self.strategy == "front" and self._given().get(key):
                raise UserError("has no effect in the strategy front; leave it out", key=key)

    def __str__(self) -> str:
        settings = self.settings(0)
        return settings.strategy if settings.strategy == "front" else f"{settings.sampler} + {settings.pruner}"

    def settings(self, seed: int) -> SearchSettings:
        """Those of a space that is searched so."""
        return SearchSettings.model_validate({**self._given(), "seed": seed})

    def _given(self) -> dict[str, str]:
        named = {"sampler": self.sampler, "pruner": self.pruner, "strategy": self.strategy}
        return {key: name for key, name in named.items() if name is not None}


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
        trainings: after how many to stop; by default when every model was proposed, and with `front`, whose choices
            take longer the more it knows, when all figures are known.
        concurrent: trials at a time.

    Raises:
        UserError: the strategy cannot search the table's space.
    """
    return [replay_once(table, strategy, seed, trainings=trainings, concurrent=concurrent) for seed in seeds]


def replay_once(
    table: Table,
    strategy: Strategy,
    seed: int,
    *,
    trainings: float | None = None,
    share: float = 0.0,
    concurrent: int = 1,
) -> Replay:
    """One replay; see `replay`.

    Args:
        share: of the table's hypervolume, before which `trainings` do not stop it.
    """
    space = space_under(table, strategy, seed)
    if trainings is None and space.search.strategy == "front":
        trainings, share = max(TRAININGS), max(SHARES)
    tally = Tally(table, trainings=trainings, share=share)
    coordinator, proposer = open_replay(table, space, concurrent)
    TableExecutor(coordinator, proposer.models, concurrent=concurrent, tally=tally).run()
    # where every model is trained in the end, what was paused was not stopped
    pruned = [record.number for record in coordinator.records() if record.state == "pruned"]
    return tally.replay(tuple(proposer.models[number].record.number for number in pruned))


def space_under(table: Table, strategy: Strategy, seed: int) -> Space:
    """The table's space under a strategy: its own settings, and designs to be tried first, do not count."""
    settings = strategy.settings(seed)
    if settings.strategy == "prune" and settings.sampler == "grid" and table.space.combinations() is None:
        raise UserError("a grid needs a finite space, and this one has a continuous parameter", key="sampler")
    return replace(table.space, search=settings, points=())


def open_replay(table: Table, space: Space, concurrent: int) -> tuple[Coordinator, TableProposer]:
    """A search's coordinator and proposer, with everything in memory."""
    from optuna.storages import InMemoryStorage

    settings = space.search
    storage, front = InMemoryStorage(), settings.strategy == "front"
    ledger = Ledger(open_search_study(storage, table.objectives), storage)
    name = "none" if front else settings.pruner
    pruner = make_pruner(name, seed=settings.seed, rungs=space.rungs, objectives=table.objectives)
    proposer = TableProposer(table, space, ledger, concurrent)
    coordinator = Coordinator(
        None,
        ledger,
        Mirror(storage, pruner, table.objectives),
        proposer,
        profile=no_profile,
        trials=len(table.models),
        watcher=Silent(),
        source=_allocator(table, space, ledger, proposer) if front else None,
    )
    return coordinator, proposer


def _allocator(table: Table, space: Space, ledger: Ledger, proposer: TableProposer) -> Allocator:
    # Here, since they bring scikit-learn with them.
    from search.propose.front.strategy import FrontStrategy
    from search.run.allocator import Allocator
    from search.run.room import Room

    whole = sum(model.record.candidate.training.tokens for model in table.models)
    strategy = FrontStrategy(table.objectives, space.search.seed)
    return Allocator(
        strategy,
        ledger,
        proposer,
        TablePool(table),
        tokens=whole,
        checkpoints=Checkpoints(None, space.search.checkpoints),
        room=Room(),
    )
