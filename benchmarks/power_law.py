"""Loss as a power law of the budget, L(D) = E + A D^-a, and the budget at which two of them cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

EXPONENTS = np.linspace(0.05, 1.5, 146)
"""Of budgets that training curves of language models are known to follow, and well beyond."""


@dataclass(frozen=True)
class PowerLaw:
    """L(D) = floor + scale * (D / unit)^-exponent."""

    floor: float
    scale: float
    exponent: float
    unit: float

    def at(self, tokens: ArrayLike) -> NDArray[np.float64]:
        """The loss foretold for these budgets."""
        found: NDArray[np.float64] = self.floor + self.scale * (np.asarray(tokens) / self.unit) ** -self.exponent
        return found


def fit(tokens: ArrayLike, losses: ArrayLike) -> PowerLaw:
    """The law with the least squares. Raises ValueError with fewer than three budgets, which any law would fit."""
    budgets, losses = np.asarray(tokens, dtype=float), np.asarray(losses, dtype=float)
    if len(np.unique(budgets)) < 3:
        raise ValueError(f"a power law needs three budgets or more, got {sorted(set(budgets))}")
    unit = float(budgets.min())
    best: tuple[float, PowerLaw] | None = None
    for exponent in EXPONENTS:
        columns = np.stack([np.ones_like(budgets), (budgets / unit) ** -exponent], axis=1)
        (floor, scale), *_ = np.linalg.lstsq(columns, losses, rcond=None)
        if floor < 0:  # text has entropy: then the falling part alone
            floor, scale = 0.0, float(columns[:, 1] @ losses / (columns[:, 1] @ columns[:, 1]))
        error = float(((columns @ [floor, scale] - losses) ** 2).sum())
        if best is None or error < best[0]:
            best = error, PowerLaw(float(floor), float(scale), float(exponent), unit)
    assert best is not None
    return best[1]


def crossing(model: PowerLaw, rival: PowerLaw, low: float, high: float) -> float:
    """The smallest budget from `low` to `high` from which on the model is better up to `high`; infinity if none."""
    budgets = np.geomspace(low, high, 400)
    better = model.at(budgets) < rival.at(budgets)
    if not better[-1]:
        return float("inf")
    worse = np.flatnonzero(~better)
    return float(budgets[worse[-1] + 1] if len(worse) else budgets[0])


def crossings(
    tokens: ArrayLike, model: ArrayLike, rival: ArrayLike, noise: float, high: float, draws: int = 300
) -> NDArray[np.float64]:
    """Where they cross in `draws` worlds in which every loss had another seed's noise, nats; sorted."""
    generator = np.random.default_rng(0)
    budgets = np.asarray(tokens, dtype=float)
    found = [
        crossing(
            fit(budgets, np.asarray(model) + noise * generator.standard_normal(len(budgets))),
            fit(budgets, np.asarray(rival) + noise * generator.standard_normal(len(budgets))),
            float(budgets.min()),
            high,
        )
        for _ in range(draws)
    ]
    return np.sort(np.array(found))
