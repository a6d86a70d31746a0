"""Proposals of a sampler that leave no trace in its study, one after another, until one of them can be used.

Every proposal is drawn as `Study.ask` draws it: what the sampler gives jointly, and the rest one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler

from search.space.values.ranges import Suggests

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

TPE_BATCH, TPE_BATCHES = 24, 2
"""Proposals that TPE draws at a time, and how often: building its model takes most of the time of a draw."""


class Draft:
    """A proposal in the making: gives the values of one trial through Optuna's suggest API, and remembers them."""

    def __init__(self, sampler: BaseSampler, study: Study, trial: FrozenTrial, joint: Mapping[str, Any]) -> None:
        self._sampler, self._study, self._joint = sampler, study, joint
        # Some samplers look at what the trial has so far.
        self.params: dict[str, Any] = {}
        self._distributions: dict[str, BaseDistribution] = {}
        self._trial = copy(trial)
        self._trial.params, self._trial.distributions = self.params, self._distributions

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`."""
        return self._draw(name, CategoricalDistribution(choices))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""
        return int(self._draw(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A fraction."""
        return float(self._draw(name, FloatDistribution(low, high, log=log, step=step)))

    def _draw(self, name: str, dist: BaseDistribution) -> Any:
        if name in self.params:
            return self.params[name]
        if name in self._joint:
            value = self._joint[name]
        else:
            value = self._sampler.sample_independent(self._study, self._trial, name, dist)
        self.params[name], self._distributions[name] = value, dist
        return value


def drafts(
    sampler: BaseSampler, study: Study, trial: FrozenTrial, suggest: Callable[[Suggests], object]
) -> Iterator[dict[str, Any]]:
    """Parameters that `sampler` would propose for `trial`, drawn independently of one another.

    Args:
        suggest: draws what a trial needs, as `Space.suggest` does.
    """
    for joint in _joint_draws(sampler, study, trial):
        draft = Draft(sampler, study, trial, joint)
        suggest(draft)
        yield draft.params


def _joint_draws(sampler: BaseSampler, study: Study, trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    """What the sampler draws jointly; endless, but for TPE."""
    if isinstance(sampler, TPESampler):
        sampler = BatchTPE.like(sampler)
    dists = sampler.infer_relative_search_space(study, trial)
    first = sampler.sample_relative(study, trial, dists)
    if isinstance(sampler, BatchTPE) and first:
        yield from sampler.take_batch()
        for _ in range(1, TPE_BATCHES):
            sampler.sample_relative(study, trial, dists)
            yield from sampler.take_batch()
        return
    yield first
    if not dists:
        yield from repeat(first)
    while True:
        yield sampler.sample_relative(study, trial, dists)


class BatchTPE(TPESampler):
    """TPE that draws many proposals at a time, each as one is drawn: the best of `n_ei_candidates`."""

    _each: int
    _batch: list[dict[str, Any]]

    @classmethod
    def like(cls, sampler: TPESampler) -> BatchTPE:
        """A sampler with the same settings and the same random state."""
        twin = cls.__new__(cls)
        twin.__dict__.update(sampler.__dict__)
        twin._each, twin._batch = sampler._n_ei_candidates, [{} for _ in range(TPE_BATCH)]
        twin._n_ei_candidates = sampler._n_ei_candidates * TPE_BATCH
        return twin

    def take_batch(self) -> list[dict[str, Any]]:
        """The proposals of the last `sample_relative`."""
        batch, self._batch = self._batch, [{} for _ in range(TPE_BATCH)]
        return batch

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        best = super()._sample(study, trial, search_space)
        for params in self._batch:
            for name, dist in search_space.items():
                params[name] = dist.to_external_repr(params[name])
        return best

    def _compute_acquisition_func(self, samples: dict[str, np.ndarray], *models: Any) -> np.ndarray:
        gains = super()._compute_acquisition_func(samples, *models)
        best = gains.reshape(TPE_BATCH, self._each).argmax(axis=1) + self._each * np.arange(TPE_BATCH)
        for params, index in zip(self._batch, best, strict=True):
            params.update({name: column[index].item() for name, column in samples.items()})
        return gains
