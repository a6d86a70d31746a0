"""Samplers by name, a fresh one with its own seed for each proposal.

A sampler that lives through a search draws from a stream that a restart would begin again. So each proposal
gets a fresh one, seeded from (space seed, trial number): with one trial at a time a resumed search proposes
exactly what an uninterrupted one would. Everything they learn from is in the study.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msarch.errors import UserError, unknown
from search.propose.seeds import derived_seed
from search.space.schema.search import SAMPLERS

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState


def make_sampler(name: str, *, seed: int, number: int, startup: int = 10, concurrent: int = 1) -> BaseSampler:
    """The sampler that proposes trial `number`; TPE draws the first `startup` trials at random.

    TPE learns from complete, pruned and infeasible trials, NSGA-II from complete ones alone. With several
    trials at a time TPE counts running ones as bad, so that it does not propose the same candidate twice.

    Raises:
        UserError: no sampler has that name.
    """
    from optuna import samplers

    derived = derived_seed(seed, number)
    match name:
        case "tpe":
            return samplers.TPESampler(
                seed=derived,
                n_startup_trials=startup,
                multivariate=True,
                group=True,
                constant_liar=concurrent > 1,
            )
        case "nsga2":
            return samplers.NSGAIISampler(seed=derived, population_size=16)
        case "random":
            return samplers.RandomSampler(seed=derived)
        case "grid":
            return _grid(derived)
    raise UserError(unknown("sampler", name, SAMPLERS), key="search.sampler")


def _grid(seed: int) -> BaseSampler:
    from optuna.samplers import BruteForceSampler

    class Grid(BruteForceSampler):
        """Every combination once. `exhausted` marks the end, since `Study.stop` works in `optimize` only."""

        exhausted = False

        def after_trial(
            self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
        ) -> None:
            try:
                super().after_trial(study, trial, state, values)
            except RuntimeError:
                self.exhausted = True

    return Grid(seed=seed)
