"""Ends foreseen from unfinished trainings, over curves whose ends are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from threadpoolctl import threadpool_info, threadpool_limits

from search.propose.front import loss_model
from search.propose.front.loss_model import Curve, LossModel, _few, _last_of_many

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


class Trainings:
    """Made-up trainings: what is large is better in the end and starts slower; every one has its own seed."""

    def __init__(self, count: int, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.matrix = generator.random((count, 3))
        size, rate, _ = self.matrix.T
        self.ends = 2.0 - 0.4 * size + 0.5 * (rate - 0.6) ** 2 + 0.01 * generator.standard_normal(count)
        falls = 0.15 + 0.2 * size + 0.01 * generator.standard_normal(count)
        steps = np.array(SHARES) ** -0.45 - 1
        self.losses = self.ends[:, None] + falls[:, None] * steps + 0.05 * (steps > 0)

    def curve(self, row: int, rungs: int) -> Curve:
        return Curve(row, SHARES[:rungs], tuple(self.losses[row, :rungs]))


@pytest.fixture(scope="module")
def trainings() -> Trainings:
    return Trainings(60)


@pytest.fixture(scope="module")
def model(trainings: Trainings) -> LossModel:
    """Thirty were started, every third of them is complete, the others stand at an eighth."""
    curves = [trainings.curve(row, 5 if row % 3 == 0 else 2) for row in range(30)]
    return LossModel(trainings.matrix[:30], curves)


def test_the_ends_of_paused_trainings_are_foreseen(trainings: Trainings, model: LossModel) -> None:
    paused = [row for row in range(30) if row % 3]
    mean, spread = model.ends_of_started(paused)
    away = trainings.ends[paused] - mean
    assert np.abs(away).mean() < 0.025
    assert 0.4 < np.sqrt(np.mean((away / spread) ** 2)) < 1.6  # the spread is honest


def test_slow_starters_are_not_taken_for_losers(trainings: Trainings, model: LossModel) -> None:
    """At an eighth of the training the order is another one; what is foreseen has the order of the ends."""
    paused = [row for row in range(30) if row % 3]
    mean, _ = model.ends_of_started(paused)
    early = np.corrcoef(trainings.losses[paused, 1], trainings.ends[paused])[0, 1]
    assert np.corrcoef(mean, trainings.ends[paused])[0, 1] > max(0.95, early + 0.2)


def test_the_ends_of_new_designs_are_foreseen_less_surely(trainings: Trainings, model: LossModel) -> None:
    mean, spread = model.ends(trainings.matrix[30:])
    away = trainings.ends[30:] - mean
    assert np.abs(away).mean() < 0.05
    assert 0.3 < np.sqrt(np.mean((away / spread) ** 2)) < 1.8
    assert spread.mean() > model.ends_of_started([row for row in range(30) if row % 3])[1].mean()


def test_a_complete_training_is_known(trainings: Trainings, model: LossModel) -> None:
    mean, spread = model.ends_of_started([0, 3, 6])
    assert mean == pytest.approx(trainings.ends[[0, 3, 6]], abs=0.01)
    assert (spread < 0.02).all()


def test_two_beginnings_are_enough_to_ask(trainings: Trainings) -> None:
    model = LossModel(trainings.matrix[:2], [trainings.curve(0, 1), trainings.curve(1, 2)])
    mean, spread = model.ends(trainings.matrix[2:5])
    assert np.isfinite(mean).all()
    assert (spread > 0).all()


def test_what_is_believed_of_one_tells_of_its_like(trainings: Trainings) -> None:
    matrix = np.concatenate([trainings.matrix[:6], trainings.matrix[:1]])
    curves = [*(trainings.curve(row, 3) for row in range(6)), Curve(6, SHARES[:3], tuple(trainings.losses[0, :3]))]
    model = LossModel(matrix, curves)
    (mean,), (before,) = model.ends_of_started([6])
    model.believe([0])
    (after_mean,), (after,) = model.ends_of_started([6])
    assert after < 0.6 * before and after_mean == pytest.approx(mean, abs=0.02)


def test_many_losses_are_all_used_but_not_all_fitted_to(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = [trainings.curve(row, 5) for row in range(60)]
    monkeypatch.setattr(loss_model, "MOST_FITTED", 300)
    assert _few(curves) == curves
    exact = LossModel(trainings.matrix, curves).ends_of_started(range(60))
    monkeypatch.setattr(loss_model, "MOST_FITTED", 62)
    assert len(_few(curves)) == 12
    model = LossModel(trainings.matrix, curves)
    assert model.ends_of_started(range(60))[0] == pytest.approx(exact[0], abs=0.01)
    assert np.abs(model.ends_of_started(range(60))[0] - trainings.ends).mean() < 0.01


def test_of_very_many_losses_the_last_of_each_training_is_learnt(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = [trainings.curve(row, 5 if row % 2 else 2) for row in range(60)]
    monkeypatch.setattr(loss_model, "MOST_FITTED", 62)
    exact = LossModel(trainings.matrix, curves).ends_of_started(range(60))
    monkeypatch.setattr(loss_model, "MOST_LEARNT", 62)
    assert [len(curve.losses) for curve in _last_of_many(curves)] == [1] * 60
    thinned = LossModel(trainings.matrix, curves).ends_of_started(range(60))
    ends, paused = np.arange(60) % 2 == 1, np.arange(60) % 2 == 0
    assert thinned[0][ends] == pytest.approx(exact[0][ends], abs=0.01), "what has ended is known"
    mistake = np.abs(thinned[0] - trainings.ends)[paused].mean()
    assert mistake < loss_model.LEAST_SPREAD, "what is paused is foreseen to within what counts as alike"


def test_the_same_beginnings_give_the_same_model(trainings: Trainings) -> None:
    curves = [trainings.curve(row, 2) for row in range(8)]
    one, other = (LossModel(trainings.matrix[:8], curves).ends(trainings.matrix[8:]) for _ in range(2))
    assert np.array_equal(one, other)


def test_the_rate_counts_beside_many_figures_of_size() -> None:
    """One column of training among twenty that say how large a model is: sixteen trainings tell which rate is best."""
    generator = np.random.default_rng(1)
    rate, size = generator.choice([0.0, 0.5, 1.0], 48), generator.random(48)
    figures = size[:, None] + 0.1 * generator.random((48, 20))
    matrix, ends = np.column_stack([rate, figures]), 2.3 + 0.4 * (rate - 0.5) ** 2 - 0.05 * size
    curves = [Curve(row, (1.0,), (float(end),)) for row, end in enumerate(ends[:16])]

    def mistake(training: int) -> float:
        mean, _ = LossModel(matrix[:16], curves, training).ends(matrix[16:])
        return float(np.abs(mean - ends[16:]).mean())

    assert mistake(1) < 0.005
    assert mistake(1) < 0.5 * mistake(0)


@pytest.mark.parametrize("training", [1, 3])
def test_spaces_may_vary_the_training_alone_or_both(trainings: Trainings, training: int) -> None:
    curves = [trainings.curve(row, 5) for row in range(20)]
    mean, _ = LossModel(trainings.matrix[:20], curves, training).ends(trainings.matrix[20:])
    assert np.abs(trainings.ends[20:] - mean).mean() < 0.05


def test_it_leaves_the_cores_to_the_trials(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
            return method(*arguments, **named)

        return noted

    monkeypatch.setattr(GaussianProcessRegressor, "fit", noting(GaussianProcessRegressor.fit))
    monkeypatch.setattr(GaussianProcessRegressor, "predict", noting(GaussianProcessRegressor.predict))
    with threadpool_limits(limits=2):
        model = LossModel(trainings.matrix[:4], [trainings.curve(row, 5) for row in range(3)])
        model.believe([3])
        model.ends(trainings.matrix[4:6])
    assert len(threads) >= 4 and set(threads) == {1}
