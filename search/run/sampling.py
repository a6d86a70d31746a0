"""The strategy "prune": the sampler proposes, the pruner stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.ledger.attributes import CONTINUE, CONTROL, PRUNE, Verdict
from search.ledger.records import TrialRecord
from search.propose.mirror import Mirror
from search.run.budget import Budget, tokens_of
from search.run.proposer import Proposer
from search.run.refusals import is_begun, why_proposals_ended
from search.run.trials import Trials
from search.run.watcher import Watcher

MAX_REJECTED = 200
"""Proposals in a row that may be infeasible or duplicates before a search ends."""


class Sampling:
    """Proposes one trial after another, up to a number of trials or of tokens.

    Args:
        records: gives all records so far.
    """

    def __init__(
        self,
        proposer: Proposer,
        mirror: Mirror,
        trials: Trials,
        budget: Budget,
        records: Callable[[], list[TrialRecord]],
        watcher: Watcher,
    ) -> None:
        self._proposer, self._mirror, self._trials, self._budget = proposer, mirror, trials, budget
        self._records, self._watcher = records, watcher
        self._proposing = True
        self._counted: list[TrialRecord] | None = None  # the records whose tokens are known
        self._tokens = 0

    def next_number(self) -> int | None:
        """The number of a new proposal; None where the last ones all led to no training."""
        if self._trials.rejected >= MAX_REJECTED:
            self._proposing = False
            if any(map(is_begun, self._records())):  # else it is an error, which `search.run.refusals` words
                self._watcher.message(why_proposals_ended(self.refused))
            return None
        return self._proposer.propose()

    def verdict(self, record: TrialRecord) -> Verdict:
        """What the pruner says; a trial at its last rung is complete."""
        if len(record.curve) == len(record.candidate.training.rungs):
            return CONTINUE
        if self._mirror.should_prune(record.number):
            return PRUNE
        return CONTROL if record.control_rung is None and self._mirror.is_control(record.number) else CONTINUE

    def surplus(self) -> Sequence[int]:
        """None: nothing is paused."""
        return ()

    @property
    def refused(self) -> Sequence[str]:
        """What the last proposals exceed; an empty text for a duplicate."""
        return [record.violation for record in self._records()[-MAX_REJECTED:]]

    @property
    def ended(self) -> bool:
        """Whether the budget is spent, or there is nothing left to propose."""
        return not self._proposing or self._proposer.exhausted or not self._is_left()

    def _is_left(self) -> bool:
        """Whether the budget has room for one more trial."""
        return self._budget.pays_for(self._trials.trained, self._spent(), self._proposer.tokens_per_trial)

    def _spent(self) -> int:
        """Tokens of all trials, counted once as long as nothing has happened: Ray asks again and again."""
        records = self._records()
        if records is not self._counted:
            self._counted, self._tokens = records, sum(map(tokens_of, records))
        return self._tokens
