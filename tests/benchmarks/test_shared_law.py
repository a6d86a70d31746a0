"""Curves fitted together are foretold better than each alone, and what no curve shows is not made up."""

from __future__ import annotations

import numpy as np

from benchmarks.power_law import fit
from benchmarks.shared_law import Curve, Floats, foretell

BUDGET = 16e6
RUNGS = np.array([0.06, 0.09, 0.12, 0.18, 0.25]) * BUDGET
CHANCE = np.random.default_rng(3)
LEVELS, SLOPES = CHANCE.normal(1.5, 0.1, 30), CHANCE.normal(0.6, 0.1, 30)


def loss(tokens: Floats | float, decay: float = 0.0) -> Floats:
    """(30,) or (rungs, 30): models that differ in floor and slope, and not in exponent."""
    out: Floats = LEVELS + SLOPES * (np.atleast_1d(tokens)[:, None] / 4e6) ** -0.4 - decay
    return out.squeeze()


def curves(noise: float, decay: float = 0.0) -> list[Curve]:
    known = loss(RUNGS) + noise * np.random.default_rng(1).standard_normal((len(RUNGS), 30))
    tokens, decayed = RUNGS, np.zeros(len(RUNGS), dtype=bool)
    if decay:
        tokens, decayed = np.append(tokens, RUNGS[-1]), np.append(decayed, True)
        known = np.vstack([known, loss(RUNGS[-1], decay)])
    return [Curve(tokens, each, decayed) for each in known.T]


def test_laws_without_noise_are_found_again() -> None:
    assert np.abs(foretell(curves(0.0), BUDGET) - loss(BUDGET)).max() < 0.01


def test_a_decay_is_foretold_where_the_curves_have_one() -> None:
    found = foretell(curves(0.001, decay=0.1), BUDGET)
    assert np.abs(found - loss(BUDGET, decay=0.1)).max() < 0.02


def test_noise_misleads_curves_together_less_than_each_alone() -> None:
    noisy = curves(0.02)
    together = foretell(noisy, BUDGET) - loss(BUDGET)
    alone = np.array([fit(*curve.constant).at(BUDGET) for curve in noisy]) - loss(BUDGET)
    assert together.std() < 0.6 * alone.std()


def test_one_curve_is_enough() -> None:
    assert abs(foretell(curves(0.001)[:1], BUDGET)[0] - loss(BUDGET)[0]) < 0.05
