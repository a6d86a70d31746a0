"""How much a search trains in all: so many trials, or so many training tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msarch.config.training import TrainingConfig
from search.ledger.records import TRAINED, TrialRecord
from search.space.space import Space


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """One of the two is given.

    Attributes:
        trials: trained trials.
        tokens: training tokens over all trials.
    """

    trials: int | None = None
    tokens: int | None = None

    @classmethod
    def of(cls, space: Space, *, trials: int | None = None, tokens: int | None = None) -> Budget:
        """What was asked for, else what the space says; in the strategy "front" trials stand for their tokens."""
        if trials is None and tokens is None:
            trials, tokens = space.search.trials, space.search.tokens
        if tokens is None and trials is not None and space.search.strategy == "front":
            tokens = trials * space.tokens_per_trial
        return cls(tokens=tokens) if tokens is not None else cls(trials=trials)

    def within(self, space: Space) -> Budget:
        """The same, but no more than it takes to train every candidate of the space once."""
        most = space.combinations()
        if most is None:
            return self
        if self.tokens is not None:
            return Budget(tokens=min(self.tokens, most * space.tokens_per_trial))
        return Budget(trials=min(self.trials or 0, most))

    def trainings(self, space: Space) -> int:
        """How many trials are trained; with tokens, whole trainings that they pay for, one at least."""
        return self.trials or max(1, (self.tokens or 0) // space.tokens_per_trial)

    def pays_for(self, trained: int, spent: int, tokens: int) -> bool:
        """Whether it has room for one more training of so many tokens, after so many trials and tokens."""
        return spent + tokens <= self.tokens if self.tokens is not None else trained < (self.trials or 0)

    def spent(self, records: Sequence[TrialRecord], space: Space) -> bool:
        """Whether nothing runs, and what is left pays for no whole training."""
        if any(record.state == "running" for record in records):
            return False
        trained = sum(record.state in TRAINED for record in records)
        return not self.pays_for(trained, sum(map(tokens_of, records)), space.tokens_per_trial)


def tokens_of(record: TrialRecord, may_stop: Callable[[TrainingConfig, float], bool] = lambda *_: False) -> int:
    """Tokens that a trial has taken of a budget; of one that runs, those up to the next rung where it may stop.

    A failed trial counts as if it had come as far: else a search in which every trial fails would never end. A whole
    training counts as the space says, though its last step may read a little more.

    Args:
        may_stop: whether such a training may stop after that share of it.
    """
    training, context = record.candidate.training, record.candidate.model.context
    if record.state in ("running", "failed") and record.twin is None:
        ahead = training.rungs[len(record.curve) :]
        share = next((share for share in ahead if may_stop(training, share)), 1.0)
        tokens = max(1, round(share * training.steps(context))) * training.batch_size * context
    else:
        tokens = record.curve[-1].tokens if record.curve else 0
    return min(tokens, training.tokens)
