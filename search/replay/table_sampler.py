"""A sampler that proposes what another one would, from the models of a table, each of them once.

What the other sampler draws is matched to the table (`search.replay.places`), and drawn again where it cannot be used;
its study hears nothing of that:

* It means a model that was not proposed yet: this one is taken.
* It means a model that was: a duplicate, which a search does not train either. It is drawn again.
* The table has no such model: it is drawn again within its branch. A table holds more of some branches than of
  others, and a branch is as likely as the sampler makes it, however much of it is in the table.

After `DRAWS` draws the model nearest to the last one is taken, in its branch where that has one left. A sampler may
have settled on a region whose models have all been tried, and a table may hold a small part of a large space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler

from search.propose.chosen import Chosen
from search.replay.drafts import drafts
from search.replay.places import BRANCH, Places
from search.space.values.ranges import Suggests

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, TrialState

    from search.replay.table import TableModel

DRAWS = 100
"""Proposals drawn at most for a trial."""


class TableSampler(Chosen):
    """Proposes models of a table.

    Args:
        sampler: whose proposals are followed.
        models: of the table.
        places: of these models.
        left: indices of the models that were not proposed yet; the one that is proposed is taken out.
        suggest: draws what a trial needs, as `Space.suggest` does.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        models: Sequence[TableModel],
        places: Places,
        left: set[int],
        suggest: Callable[[Suggests], object],
    ) -> None:
        super().__init__({})  # until a trial is asked for
        self._sampler, self._models, self._places, self._left, self._suggest = sampler, models, places, left, suggest
        self.chosen: TableModel

    @property
    def left(self) -> int:
        """How many models were not proposed yet."""
        return len(self._left)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Choose the model that this trial is."""
        self._sampler.before_trial(study, trial)
        index = self._choose(study, trial)
        self._left.remove(index)
        self.chosen = self._models[index]
        self._params = self.chosen.params

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Hand on to the sampler."""
        self._sampler.after_trial(study, trial, state, values)

    def _choose(self, study: Study, trial: FrozenTrial) -> int:
        assert self._left, "every model of the table has been proposed"
        branch: Any = None  # once one is set, proposals of others are passed over
        last: dict[str, Any] = {}
        for params in islice(drafts(self._sampler, study, trial, self._suggest), DRAWS):
            if branch is not None and params.get(BRANCH) != branch:
                continue
            last, index = params, self._places.meant(params)
            if index in self._left:
                assert index is not None
                return index
            branch = params.get(BRANCH) if index is None and self._left_in(params.get(BRANCH)) else None
        nearest = self._places.nearest(last, self._left_in(last.get(BRANCH)) or self._left)
        assert nearest is not None
        return nearest

    def _left_in(self, branch: Any) -> set[int]:
        return {index for index in self._left if self._places.branches[index] == branch}
