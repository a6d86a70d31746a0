"""Perplexity: what a loss means, and the one place where it is computed."""

from __future__ import annotations

import math


def perplexity(loss: float) -> float:
    """exp of a mean loss in nats per token; infinite where that exceeds the largest float (a loss above 709.78)."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
