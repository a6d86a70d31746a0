"""Kendall's tau over chosen pairs: counted by hand, and scipy's where all pairs count."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy.stats import kendalltau

from benchmarks.rank_agreement import alike, all_pairs, interval, mean_within, near, tau_b

NOISE = np.random.default_rng(0)


def test_over_all_pairs_it_is_that_of_scipy() -> None:
    for ties in (2, 6, 1000):
        x, y = NOISE.integers(ties, size=(2, 40))
        assert tau_b(x, y, all_pairs(40)) == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)


def test_only_pairs_of_nearly_equal_memory_count() -> None:
    memory, scores, losses = [100, 109, 200, 219, 400], [1, 2, 9, 8, 0], [3.0, 2.0, 1.0, 5.0, 0.0]
    pairs = near(memory, 0.1)
    assert pairs.sum() / 2 == 2
    # More of the score is less loss in both pairs.
    assert tau_b(scores, losses, pairs) == -1
    assert near([100, 110], 0.1).sum() / 2 == 1, "10 % above is still near"


def test_within_variants_each_counts_by_its_pairs() -> None:
    labels = ["a", "a", "a", "b", "b", "c"]
    scores, losses = [1, 2, 3, 5, 6, 7], [1, 2, 3, 2, 1, 9]
    # Three pairs of a agree, the only one of b does not.
    assert mean_within(scores, losses, labels, alike(labels)) == pytest.approx((3 * 1 + 1 * -1) / 4)


def test_a_score_that_is_not_a_number_is_left_out() -> None:
    assert tau_b([1, math.nan, 2], [5, 0, 4], all_pairs(3)) == -1


def test_ties_alone_have_no_tau() -> None:
    assert math.isnan(tau_b([1, 1], [1, 2], all_pairs(2)))
    assert math.isnan(mean_within([1, 1], [1, 2], ["a", "b"], alike(["a", "b"])))


def test_an_interval_is_of_the_draws_of_models_and_always_the_same() -> None:
    x = NOISE.normal(size=60)
    y = x + NOISE.normal(size=60)
    measure, pairs = partial(tau_b, x, y), all_pairs(60)
    low, high = interval(measure, pairs, 200)
    assert low < measure(pairs) < high and 0.1 < high - low < 0.5
    assert interval(measure, pairs, 200) == (low, high)


def test_a_model_drawn_twice_is_no_pair_with_itself() -> None:
    # Were it one, its tie would pull tau towards 0.
    x = np.arange(12)
    assert interval(partial(tau_b, x, x), all_pairs(12), 50) == pytest.approx((1.0, 1.0))
