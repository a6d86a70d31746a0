"""The largest batch and the longest context of a candidate that fit an amount of memory, found by real profiles.

Memory is nearly affine in the batch, and in the context where no scores are kept: two profiles tell about where the
limit lies, and a few more find the size that fits while the next one does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from msarch.config.candidate import Candidate
from msarch.memory.profile import profile_training_step

LARGEST = {"batch_size": 2**20, "context": 2**20}
"""The largest sizes that are tried: sequences in a batch, tokens in a context."""
_LONGEST_RETINA = 2**15  # a retina runs in chunks, so the time of a profile grows with its context
Dimension = Literal["batch_size", "context"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """The answer for one dimension under one kind of checkpointing.

    Attributes:
        dimension: "batch_size" or "context".
        checkpointing: "none" or "block".
        step: the size is a multiple of this; `size` + `step` does not fit.
        size: the largest that fits, 0 where not even one step does.
        memory_bytes: what that size needs, or what one step would need where none fits.
        capped: nothing larger was tried.
    """

    dimension: Dimension
    checkpointing: Literal["none", "block"]
    step: int
    size: int
    memory_bytes: int
    capped: bool = False


def largest_that_fits(
    candidate: Candidate,
    memory_bytes: int,
    dimension: Dimension,
    checkpointing: Literal["none", "block"],
    *,
    device: str = "cpu",
    tried: Callable[[int], None] = lambda size: None,
) -> Fit:
    """The largest batch at this context, or the longest context at this batch; `tried` is called with each size.

    Contexts are multiples of the coarsest factor.
    """
    step = max(candidate.model.scales) if dimension == "context" else 1
    most = LARGEST[dimension] // step
    if dimension == "context" and candidate.model.variant == "retina":
        most = _LONGEST_RETINA // step

    def needs(count: int) -> int:
        tried(count * step)
        at = resized(candidate, dimension, count * step)
        training = replace(at.training, checkpointing=checkpointing)
        return profile_training_step(at.model, training, device=device).peak_bytes

    # The configured size first: its profile is often known.
    start = max(1, (candidate.model.context if dimension == "context" else candidate.training.batch_size) // step)
    count, memory = _largest(needs, memory_bytes, start, most)
    return Fit(
        dimension=dimension,
        checkpointing=checkpointing,
        step=step,
        size=count * step,
        memory_bytes=memory,
        capped=count == most,
    )


def resized(candidate: Candidate, dimension: Dimension, size: int) -> Candidate:
    """The candidate with another batch or context."""
    if dimension == "context":
        return replace(candidate, model=replace(candidate.model, context=size))
    return replace(candidate, training=replace(candidate.training, batch_size=size))


def _largest(needs: Callable[[int], int], limit: int, start: int, most: int) -> tuple[int, int]:
    """The largest count from 1 to `most` whose need is within `limit`, and that need; 0 and the need of 1 else."""
    known: dict[int, int] = {}

    def fits(count: int) -> bool:
        if count not in known:
            known[count] = needs(count)
        return known[count] <= limit

    low, high = 0, most + 1  # fits, does not fit
    guess = min(start, most)
    while high - low > 1:
        if fits(guess):
            low = guess
        else:
            high = guess
        guess = _next(known, limit, low, high)
    return low, known[low or 1]


def _next(known: dict[int, int], limit: int, low: int, high: int) -> int:
    """Where to try next, strictly between `low` and `high`.

    The line through the two sizes nearest to the limit crosses the limit at some size: that size rounded down, then the
    next one, which must not fit. With one size known, twice or half of it.
    """
    near = sorted(known, key=lambda count: abs(known[count] - limit))[:2]
    if len(near) < 2:
        target = 2.0 * low if low else high / 2
    else:
        (a, b) = sorted(near)
        slope = (known[b] - known[a]) / (b - a)
        target = a + (limit - known[a]) / slope if slope > 0 else (low + high) / 2
    if len(known) > 12:  # the line does not lead there: halve
        target = (low + high) / 2
    return min(max(int(target), low + 1), high - 1)
