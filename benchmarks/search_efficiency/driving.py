"""Peers' own decision objects, driven over a table: what a search in their library would do, less the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from optuna.samplers import BaseSampler, RandomSampler

from msarch.training.validation import Validation
from search.ledger.studies import quiet_optuna
from search.propose.pruners import step_of
from search.replay.places import Places
from search.replay.table import Table, TableModel
from search.replay.table_sampler import TableSampler
from search.replay.tally import Replay, Tally


class Peer(Protocol):
    """What decides in another library, one trial at a time."""

    def propose(self) -> TableModel | None:
        """The next model to train; None where there is none left."""

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """Whether a model is trained beyond this rung, which is not its last."""

    def ended(self, model: TableModel, point: Validation) -> None:
        """A model was stopped, or has ended, at this rung."""


MakePeer = Callable[[Table, int], Peer]
"""Makes a peer for a table and a seed."""


def drive(table: Table, make: MakePeer, seed: int, *, trainings: float, share: float) -> Replay:
    """Let a peer search until it has spent so many trainings and found that share of the table's hypervolume."""
    tally, stopped = Tally(table, trainings=trainings, share=share), []
    with quiet_optuna():
        peer = make(table, seed)
        while not tally.enough and (model := peer.propose()) is not None:
            _train(model, peer, tally)
            if not tally.is_whole(model.record):
                stopped.append(model.record.number)
    return tally.replay(tuple(stopped))


def _train(model: TableModel, peer: Peer, tally: Tally) -> None:
    point = tally.train(model.record)
    while not tally.is_whole(model.record) and peer.goes_on(model, point):
        point = tally.train(model.record)
    peer.ended(model, point)


def step(model: TableModel, point: Validation) -> int:
    """How far a rung is, in first rungs: 1, 2, 4, 8, 16, 32 by default."""
    return step_of(model.record.candidate.training.rungs, point.rung)


def steps(table: Table) -> int:
    """How far the last rung of a table's models is."""
    return step_of(rungs := table.models[0].record.candidate.training.rungs, len(rungs) - 1)


def table_sampler(table: Table, sampler: BaseSampler) -> TableSampler:
    """A sampler that proposes models of a table as `sampler` would: in a replay, so here."""
    return TableSampler(sampler, table.models, Places(table.models), set(range(len(table.models))), table.space.suggest)


class Proposals:
    """Models that a sampler proposes in a study of Optuna, each once.

    Args:
        objectives: how many values its trials are told.
    """

    def __init__(self, table: Table, sampler: TableSampler, objectives: int) -> None:
        import optuna

        self._table, self._sampler = table, sampler
        self._study = optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)
        self._trials: dict[int, optuna.Trial] = {}

    def next_model(self) -> TableModel | None:
        """The next one; None where all have been proposed."""
        if not self._sampler.left:
            return None
        trial = self._study.ask()
        self._table.space.suggest(trial)  # so that the study knows the parameters
        self._trials[self._sampler.chosen.record.number] = trial
        return self._sampler.chosen

    def tell(self, model: TableModel, values: tuple[float, ...]) -> None:
        """What a model's training ended with."""
        self._study.tell(self._trials.pop(model.record.number), values)


def random_proposals(table: Table, seed: int) -> Proposals:
    """As the strategy "random" draws them: the branch first."""
    return Proposals(table, table_sampler(table, RandomSampler(seed)), 1)
