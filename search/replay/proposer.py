"""The proposer of a replay: a search's own, whose candidates and figures come from a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from search.ledger.ledger import Ledger
from search.replay.places import Places
from search.replay.table import Table, TableModel
from search.replay.table_sampler import TableSampler
from search.run.proposer import Proposer
from search.space.space import Space
from search.space.values.ranges import Suggests


class TableProposer(Proposer):
    """Asks the sampler of a study for models of a table.

    Args:
        table: of trained models.
        space: the table's, with the settings of the strategy.
        ledger: takes what is proposed.
        concurrent: trials at a time.
    """

    def __init__(self, table: Table, space: Space, ledger: Ledger, concurrent: int) -> None:
        self._table, self._places = table, Places(table.models)
        self._left = set(range(len(table.models)))
        self.models: dict[int, TableModel] = {}
        """Each trial's model, by the trial's number."""
        super().__init__(space, ledger, concurrent, _encode)

    def propose(self, chosen: Mapping[str, Any] | None = None) -> int:
        """Propose one more model, the one of the parameters `chosen` where they are given; the number of its trial.

        Its figures are recorded too.
        """
        self._chosen = chosen
        number = super().propose(chosen)
        self._ledger.record_profile(number, self.models[number].record.profile)
        return number

    def runnable(self, candidate: Candidate) -> Candidate:
        """The candidate as it was recorded: nothing of it is run."""
        return candidate

    def _reseed(self, number: int) -> None:
        super()._reseed(number)
        sampler = self._study.sampler
        self._sampler = TableSampler(sampler, self._table.models, self._places, self._left, self._space.suggest)
        self._study.sampler, self._number = self._sampler, number

    def candidate(self, trial: Suggests) -> Candidate:
        """The candidate of the model that is proposed, as it was recorded."""
        self._space.suggest(trial)  # so that the study knows the parameters
        model = self.models[self._number] = self._sampler.chosen if self._chosen is None else self._take(self._chosen)
        return model.record.candidate

    def _take(self, params: Mapping[str, Any]) -> TableModel:
        """The model of these parameters, which is proposed no more."""
        index = next(index for index in sorted(self._left) if self._table.models[index].params == params)
        self._left.remove(index)
        return self._table.models[index]


def _encode(corpus: CorpusConfig) -> NoReturn:
    raise AssertionError("a replay reads no text")


def no_profile(candidate: Candidate) -> dict[str, Any]:
    """For a coordinator, which finds the recorded profile of every model."""
    raise AssertionError("a replay profiles nothing")
