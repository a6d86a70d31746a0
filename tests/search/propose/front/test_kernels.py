"""Kernels of the loss model, against scikit-learn's own and against differences."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from search.propose.front.kernels import LeadKernel, LossKernel

WIDTH = 5


def rows(count: int, seed: int = 0) -> np.ndarray:
    """Features, the number of the training, the share of it that is done, and its logarithm."""
    generator = np.random.default_rng(seed)
    shares = generator.choice([0.125, 0.25, 1.0], count)
    numbers = generator.choice(4, count)
    features = np.random.default_rng(3).random((4, WIDTH))[numbers]
    return np.column_stack([features, numbers, shares, np.log2(shares)])


@pytest.mark.parametrize("kind", [LeadKernel, LossKernel])
@pytest.mark.parametrize("training", [0, 2, WIDTH])
def test_gradients_are_those_of_differences(kind: type[LeadKernel], training: int) -> None:
    kernel, matrix = kind(training, WIDTH), rows(7)
    theta = kernel.theta + np.random.default_rng(1).normal(0, 0.5, len(kernel.theta))
    found, gradients = kernel.clone_with_theta(theta)(matrix, eval_gradient=True)
    assert gradients.shape == (7, 7, len(theta)) and kernel.bounds.shape == (len(theta), 2)
    for index, gradient in enumerate(np.moveaxis(gradients, -1, 0)):
        step = np.eye(len(theta))[index] * 1e-6
        above, below = (kernel.clone_with_theta(theta + sign * step)(matrix) for sign in (1, -1))
        assert gradient == pytest.approx((above - below) / 2e-6, abs=1e-6)
    assert np.diag(found) == pytest.approx(kernel.clone_with_theta(theta).diag(matrix))


def test_what_features_do_together_and_by_themselves_are_matern_kernels() -> None:
    matrix, other = rows(6), rows(4, seed=2)
    one, others = matrix[:, :WIDTH], other[:, :WIDTH]
    together = ConstantKernel(1.0) * Matern(1.5, nu=2.5)
    by_column = [Matern(1.0, nu=2.5)(one[:, [column]], others[:, [column]]) for column in range(WIDTH)]
    own = 0.03 * np.equal.outer(matrix[:, WIDTH], other[:, WIDTH])
    expected = together(one, others) + 2 * np.mean(by_column[:2], axis=0) + 2 * np.mean(by_column[2:], axis=0) + own
    assert LeadKernel(2, WIDTH)(matrix, other) == pytest.approx(expected)


def test_losses_of_other_rows_have_no_noise_in_common() -> None:
    kernel, matrix = LossKernel(2, WIDTH), rows(6)
    assert np.diag(kernel(matrix) - kernel(matrix, matrix.copy())) == pytest.approx(np.exp(kernel.theta[-1]))


def test_a_copy_keeps_what_was_learnt() -> None:
    kernel = LossKernel(2, WIDTH)
    learnt = kernel.clone_with_theta(kernel.theta + 0.3)
    assert np.array_equal(clone(learnt).theta, learnt.theta) and learnt != kernel
