"""Expected hypervolume improvement at exact costs, against a hypervolume that is computed another way."""

from __future__ import annotations

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

from search.propose.front.improvement import FrontLevels, expected_fall

GENERATOR = np.random.default_rng(0)


def hypervolume(costs: np.ndarray, losses: np.ndarray, reference: np.ndarray) -> float:
    """Optuna's own, of points within the reference."""
    points = np.column_stack([costs, losses])
    inside = points[(points < reference).all(axis=1)]
    return float(compute_hypervolume(inside, reference)) if len(inside) else 0.0


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_loss_known_for_sure_adds_the_difference_of_the_hypervolumes(dimensions: int) -> None:
    costs, losses = GENERATOR.random((7, dimensions)), GENERATOR.random(7)
    limits, worst = np.full(dimensions, 0.9), 0.8
    levels = FrontLevels(costs, losses, limits, worst)
    reference = np.append(limits, worst)
    before = hypervolume(costs, losses, reference)
    for cost, loss in zip(GENERATOR.random((20, dimensions)), GENERATOR.random(20), strict=True):
        # The front counts from the lowest cost that is asked for, so a new one below all others counts in full.
        after = hypervolume(np.vstack([costs, cost]), np.append(losses, loss), reference)
        (gain,) = levels.expected_gain(cost[None], np.array([loss]), np.array([0.0]))
        assert gain == pytest.approx(after - before, abs=1e-7)


def test_an_uncertain_loss_adds_the_mean_over_its_outcomes() -> None:
    costs, losses = np.array([[0.1], [0.4], [0.6]]), np.array([0.9, 0.5, 0.3])
    levels = FrontLevels(costs, losses, np.array([1.0]), 1.2)
    outcomes = 0.55 + 0.2 * GENERATOR.standard_normal(20_000)
    one_by_one = levels.expected_gain(np.full((20_000, 1), 0.3), outcomes, np.zeros(20_000))
    (expected,) = levels.expected_gain(np.array([[0.3]]), np.array([0.55]), np.array([0.2]))
    assert expected == pytest.approx(one_by_one.mean(), rel=0.02)


def test_without_a_model_all_up_to_the_reference_is_gained() -> None:
    levels = FrontLevels(np.zeros((0, 1)), np.zeros(0), np.array([2.0]), 3.0)
    assert levels.expected_gain(np.array([[0.5]]), np.array([1.0]), np.array([0.0])) == pytest.approx(1.5 * 2.0)


def test_a_model_beyond_the_reference_adds_nothing() -> None:
    levels = FrontLevels(np.array([[0.2]]), np.array([0.5]), np.array([1.0]), 2.0)
    gains = levels.expected_gain(np.array([[1.1], [0.5]]), np.array([0.0, 0.9]), np.array([0.1, 1e-6]))
    assert gains == pytest.approx([0.0, 0.0], abs=1e-9)


def test_the_expected_fall_below_a_level_is_half_a_mean_deviation_at_the_level_itself() -> None:
    assert expected_fall(np.array(1.0), mean=1.0, spread=0.5) == pytest.approx(0.5 / np.sqrt(2 * np.pi))
