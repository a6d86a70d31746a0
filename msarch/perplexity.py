"""Perplexity: what a loss means, and the one place where it is computed and written as text."""

from __future__ import annotations

import math


def perplexity(loss: float) -> float:
    """exp of a mean loss in nats per token; infinite where that exceeds the largest float (a loss above 709.78)."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def format_perplexity(value: float) -> str:
    """`8.850`, `34.84`, `412.3`, `12346`: below 1000, values at least 0.001 nats apart read differently."""
    if value < 100:
        return f"{value:#.4g}"
    return f"{value:.1f}" if value < 999.95 else f"{value:.0f}"
