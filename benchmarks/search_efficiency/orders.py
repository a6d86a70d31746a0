"""Strategies that know what to train before anything is trained: a proxy of the loss, and two ceilings.

The ceilings know how every training ends. No search can, so they show how much is left to gain.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from benchmarks.search_efficiency.driving import random_proposals
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.replay.table import Table, TableModel
from search.results.front import pareto_front


class InOrder:
    """Trains models in a given order, each to its end."""

    def __init__(self, models: Iterable[TableModel]) -> None:
        self._models = iter(models)

    def propose(self) -> TableModel | None:
        """The next one."""
        return next(self._models, None)

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """Always."""
        return True

    def ended(self, model: TableModel, point: Validation) -> None:
        """Nothing is learnt."""


def by_parameters(table: Table, seed: int) -> InOrder:
    """LiteTransformerSearch: a model's parameters outside of its embedding rank it in place of its loss.

    The front of (memory, parameters) is trained first, in random order, then the front of those that are left, and so
    on: the method itself ends after the first. See https://arxiv.org/abs/2203.02094.
    """
    draw, left = random.Random(seed), list(table.models)
    order: list[TableModel] = []
    while left:
        front = [model for model in left if not any(_has_more(other, model) for other in left)]
        order += draw.sample(front, len(front))
        left = [model for model in left if model not in front]
    return InOrder(order)


def _has_more(one: TableModel, other: TableModel) -> bool:
    """Whether a model has more parameters in as much memory, or as many in less."""
    (memory, parameters), (others_memory, others_parameters) = map(_plane, (one, other))
    return memory <= others_memory and parameters >= others_parameters and _plane(one) != _plane(other)


def _plane(model: TableModel) -> tuple[float, float]:
    profile = model.record.profile
    # early versions did not record the embedding's
    return profile["memory_bytes"], profile["parameters"] - profile.get("parameters_embedding", 0)


def greedily(table: Table, seed: int) -> InOrder:
    """Greedy foresight: the model that adds most hypervolume next, each trained to its end at once."""
    left = list(table.models)
    chosen: list[TableModel] = []
    while left:
        records = [model.record for model in chosen]
        best = max(left, key=lambda model: table.volume([*records, model.record]))
        left.remove(best)
        chosen.append(best)
    return InOrder(chosen)


class Oracle:
    """An oracle that prunes: of random proposals only those of the true front go on after their first rung."""

    def __init__(self, table: Table, seed: int) -> None:
        self._proposals = random_proposals(table, seed)
        self._front = true_front(table)

    def propose(self) -> TableModel | None:
        """A random one."""
        return self._proposals.next_model()

    def goes_on(self, model: TableModel, point: Validation) -> bool:
        """Whether it will be on the front of all models."""
        return model.record in self._front

    def ended(self, model: TableModel, point: Validation) -> None:
        """Nothing is learnt."""


def true_front(table: Table) -> Sequence[TrialRecord]:
    """The models of a table that no other beats."""
    return pareto_front((model.record for model in table.models), table.objectives)
