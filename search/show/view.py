"""Which part of the plane a figure shows at first: the front fills it, what lies far off is a double click away."""

from __future__ import annotations

import math
from collections.abc import Sequence

MARGIN = 0.08
"""Free room at each end, as a share of the logarithmic span."""
FRONT_SHARE = 0.55
"""Of the height, which the front takes at least, where it has a height."""


def cost_span(costs: Sequence[float], limit: float | None) -> tuple[float, float]:
    """Ends of the cost axis: all complete trials, and the limit where it is not far from them."""
    if not costs:
        return (limit / 4, limit * 1.25) if limit else (1.0, 10.0)
    low, high = min(costs), max(costs)
    near = limit is not None and limit <= high * max(1.6, math.sqrt(high / low))
    if limit is not None and near and limit > 0:
        room = max(limit / low, 1.3)
        return low / room**MARGIN, max(high, limit) * room ** (2 * MARGIN)  # what was too dear begins to the right
    room = max(high / low, 1.3)
    return low / room**MARGIN, high * room**MARGIN


def quality_span(complete: Sequence[float], front: Sequence[float]) -> tuple[float, float]:
    """Ends of the quality axis: the front and the better three quarters of the complete trials.

    Trials far above may not squeeze the front below `FRONT_SHARE` of the height.
    """
    if not complete:
        return 1.0, 10.0
    low, worst = min(complete), max(complete)
    upper = sorted(complete)[(3 * (len(complete) - 1) + 3) // 4]
    spread = math.log(max(front, default=low) / low)
    most = max(spread / FRONT_SHARE, math.log(1.02)) if spread else math.log(worst / low)
    height = max(spread, min(math.log(upper / low), most))
    if not height:
        return low / 1.1, low * 1.1
    room = max(math.exp(height), 1.03)
    return low / room ** (2 * MARGIN), low * room ** (1 + MARGIN)
