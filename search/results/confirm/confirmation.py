"""How sure a front is, from trainings with further seeds.

Only further seeds count: the search chose its models by what they reached with its own, so those figures are too good.

- The interval of a claim is Student's t over the differences seed by seed: two models with the same seed read the same
  data in the same order.
- The probability that a model stands on the front is over the means of all models that were trained again: normal, with
  one variance for all models, estimated from their spreads together.
- A training that failed has no figure, so means and intervals leave it out. It is counted beside them, and a model with
  such a training has no probability: where it does not train, it stands on no front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean, stdev
from typing import Literal

import numpy as np

from search.ledger.metrics import objective_values
from search.ledger.records import TrialRecord
from search.results.confirm.plan import pairs, reseeded, trials_to_confirm
from search.results.confirm.runs import Run
from search.results.front import split
from search.space.objectives import OBJECTIVES

CONFIDENCE = 0.95
DRAWS = 20_000
Levels = Mapping[int, float]
"""By seed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """A model with further seeds.

    Attributes:
        record: its trial.
        levels: by seed: loss in nats, or bits per byte; of the trainings that did not fail.
        failed: how many trainings failed.
        on_front: the probability that it is on the front of those that were trained again; None where one of its
            trainings failed, or where no model has two seeds.
    """

    record: TrialRecord
    levels: Levels
    failed: int
    on_front: float | None

    @property
    def mean(self) -> float | None:
        """Over seeds; None where all failed."""
        return mean(self.levels.values()) if self.levels else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None with one."""
        return stdev(self.levels.values()) if len(self.levels) > 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """ "A beats B": a model of the front and the vanilla one that costs no more.

    Attributes:
        point, rival: numbers of the trials; no rival where no complete vanilla trial costs so little.
        seeds: with which both were trained.
        failed: with how many more one of them failed, or both.
        gain: by how much the point is better, in nats or bits, on average.
        low, high: the 95 % interval of the gain; None with fewer than two seeds.
    """

    point: int
    rival: int | None
    seeds: int = 0
    failed: int = 0
    gain: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> Literal["better", "worse", "within the noise", "unknown"]:
        """Better or worse only where the interval leaves no doubt."""
        if self.low is None or self.high is None:
            return "unknown"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "within the noise"


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What further seeds say of a front.

    Attributes:
        quality: perplexity or bits_per_byte.
        split: on which all were judged: test, or validation where the corpus has no test split.
        models: the cheapest first.
        claims: one for each multi-scale model of the front.
        missing: trials of the front, or rivals, of which no further training has ended or failed.
    """

    quality: str
    split: str
    models: list[Confirmed]
    claims: list[Claim]
    missing: list[int]

    @property
    def spreads(self) -> dict[int, float]:
        """Standard deviations over seeds by number of the trial: nats for perplexity, otherwise bits per byte."""
        return {each.record.number: each.spread for each in self.models if each.spread is not None}

    @property
    def noise(self) -> float | None:
        """By how much two equally good models, trained once each, differ in 19 of 20 cases at most: nats or bits.

        From one variance for all models; None where none has two seeds.
        """
        variance, freedom = _pooled([list(each.levels.values()) for each in self.models if each.levels])
        return _quantile(freedom) * math.sqrt(2 * variance) if freedom else None


def confirmation(records: Sequence[TrialRecord], objectives: Sequence[str], runs: Sequence[Run]) -> Confirmation | None:
    """What these runs say of the front; None where there is no run of its models, or of their rivals."""
    quality = split(objectives)[0]
    chosen = trials_to_confirm(records, objectives)
    runs_by_trial = {record.number: _own_runs(record, runs) for record in chosen}
    trained = [record for record in chosen if runs_by_trial[record.number]]
    if not trained:
        return None
    seeds = {number: _Seeds.of(each, quality) for number, each in runs_by_trial.items()}
    chances = _chances(trained, objectives, seeds)
    models = [
        Confirmed(
            record=record,
            levels=seeds[record.number].levels,
            failed=len(seeds[record.number].failed),
            on_front=chances.get(record.number),
        )
        for record in trained
    ]
    claims = [
        _claim(pair.point.number, pair.rival.number if pair.rival else None, seeds)
        for pair in pairs(records, objectives)
        if runs_by_trial[pair.point.number]
    ]
    missing = [number for number, found in runs_by_trial.items() if not found]
    first = runs_by_trial[trained[0].number][0]
    return Confirmation(quality=quality, split=first.split, models=models, claims=claims, missing=missing)


def _own_runs(record: TrialRecord, runs: Sequence[Run]) -> list[Run]:
    """Those of this very candidate: a folder may have been searched anew since."""
    own = record.candidate
    mine = [run for run in runs if run.trial == record.number and run.seed > own.seed]
    return [run for run in mine if reseeded(own, run.seed - own.seed).digest() == run.candidate]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seeds:
    """What became of a model's trainings.

    Attributes:
        levels: of those that ended, by seed.
        failed: the seeds of the others.
    """

    levels: Levels
    failed: frozenset[int]

    @classmethod
    def of(cls, runs: Sequence[Run], quality: str) -> _Seeds:
        found = {run.seed: run.level(quality) for run in runs}
        levels = {seed: level for seed, level in found.items() if level is not None}
        return cls(levels=levels, failed=frozenset(found.keys() - levels.keys()))


def _claim(point: int, rival: int | None, seeds: Mapping[int, _Seeds]) -> Claim:
    failed = len(seeds[point].failed | (seeds[rival].failed if rival is not None else frozenset()))
    if rival is None:
        return Claim(point=point, rival=None, failed=failed)
    levels, others = seeds[point].levels, seeds[rival].levels
    gains = [others[seed] - levels[seed] for seed in sorted(levels.keys() & others.keys())]
    claim = partial(Claim, point=point, rival=rival, seeds=len(gains), failed=failed)
    if len(gains) < 2:
        return claim(gain=gains[0] if gains else None)
    gain, half = mean(gains), _quantile(len(gains) - 1) * stdev(gains) / math.sqrt(len(gains))
    return claim(gain=gain, low=gain - half, high=gain + half)


def _quantile(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, freedom))


def _chances(
    trained: Sequence[TrialRecord], objectives: Sequence[str], seeds: Mapping[int, _Seeds]
) -> dict[int, float]:
    """The probability of each model to stand on the front; empty where nothing says how far seeds spread."""
    judged = [record for record in trained if seeds[record.number].levels]
    samples = [np.array(list(seeds[record.number].levels.values())) for record in judged]
    variance, freedom = _pooled(samples)
    if not freedom:
        return {}
    generator = np.random.default_rng(0)
    scale = np.sqrt(variance * freedom / generator.chisquare(freedom, size=(DRAWS, 1)))
    errors = scale * generator.standard_normal((DRAWS, len(samples))) / np.sqrt([len(each) for each in samples])
    drawn = np.array([each.mean() for each in samples]) + errors
    costs = [_costs(record, objectives) for record in judged]
    return {
        record.number: float(_stands(index, costs, drawn).mean())
        for index, record in enumerate(judged)
        if not seeds[record.number].failed
    }


def _pooled(samples: Sequence[Sequence[float] | np.ndarray]) -> tuple[float, int]:
    """The variance within these samples, and its degrees of freedom; 0 and 0 where none has two values."""
    freedom = sum(len(each) - 1 for each in samples)
    squares = sum(float(((np.asarray(each) - np.mean(each)) ** 2).sum()) for each in samples)
    return (squares / freedom if freedom else 0.0), freedom


def _stands(index: int, costs: Sequence[tuple[float, ...]], drawn: np.ndarray) -> np.ndarray:
    """In which draws no other model that costs no more is better."""
    rivals = [
        other
        for other, theirs in enumerate(costs)
        if other != index and all(a <= b for a, b in zip(theirs, costs[index], strict=True))
    ]
    if not rivals:
        return np.ones(len(drawn), dtype=bool)
    best: np.ndarray = drawn[:, rivals].min(axis=1)
    stands: np.ndarray = drawn[:, index] < best
    return stands


def _costs(record: TrialRecord, objectives: Sequence[str]) -> tuple[float, ...]:
    values = objective_values(record, tuple(name for name in objectives if not OBJECTIVES[name].quality))
    assert values is not None
    return values
