"""Laws that are known are found again, and so is where they cross."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.power_law import PowerLaw, crossing, crossings, fit

BUDGETS = np.array([1, 2, 4, 8, 16]) * 1e6
STEEP = PowerLaw(floor=1.0, scale=0.9, exponent=0.4, unit=1e6)
FLAT = PowerLaw(floor=1.1, scale=0.7, exponent=0.4, unit=1e6)
"""They cross where 0.2 D^-0.4 = 0.1: at 2^2.5 = 5.66 million."""


def test_a_law_is_found_from_its_own_losses() -> None:
    found = fit(BUDGETS, STEEP.at(BUDGETS))
    assert (found.floor, found.scale, found.exponent) == pytest.approx((1.0, 0.9, 0.4), abs=1e-6)


def test_a_floor_below_zero_is_not_believed() -> None:
    falling = PowerLaw(floor=-0.5, scale=2.0, exponent=0.3, unit=1e6)
    assert fit(BUDGETS, falling.at(BUDGETS)).floor == 0


def test_two_budgets_tell_of_no_law() -> None:
    with pytest.raises(ValueError, match="three budgets or more"):
        fit([1e6, 2e6, 2e6], [2.0, 1.9, 1.9])


def test_the_order_turns_where_the_laws_cross() -> None:
    assert crossing(STEEP, FLAT, 1e6, 64e6) == pytest.approx(5.66e6, rel=0.02)
    assert crossing(FLAT, STEEP, 1e6, 64e6) == np.inf
    assert crossing(STEEP, FLAT, 1e6, 5e6) == np.inf
    assert crossing(STEEP, FLAT, 8e6, 64e6) == 8e6


def test_noise_makes_an_interval_and_never_is_one_of_its_ends() -> None:
    quiet = crossings(BUDGETS, STEEP.at(BUDGETS), FLAT.at(BUDGETS), 1e-4, 64e6, draws=20)
    assert quiet[-1] - quiet[0] < 1e6
    noisy = crossings(BUDGETS, STEEP.at(BUDGETS), FLAT.at(BUDGETS), 0.1, 64e6, draws=100)
    assert noisy[5] < 3e6 and noisy[-1] == np.inf
