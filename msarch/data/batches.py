"""Which tokens a step sees: random training windows and fixed validation windows.

A batch is a pure function of its arguments, so a resumed trial, and every candidate of a search, sees the
same data at the same step without any state to save.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[Any]
Batch = tuple[NDArray[np.int64], NDArray[np.int64]]


def training_batch(tokens: Tokens, *, seed: int, step: int, batch_size: int, context: int) -> Batch:
    """Inputs and targets of one step, each (batch_size, context) int64: windows that start anywhere in `tokens`.

    The targets are the inputs moved on by one token. `tokens` holds at least `context` + 1.
    """
    assert len(tokens) > context, f"{len(tokens)} tokens hold no window of {context} and its targets"
    generator = np.random.default_rng([seed, step])
    starts = generator.integers(0, len(tokens) - context, size=batch_size)
    return _windows(tokens, starts, context)


def validation_windows(tokens: Tokens, *, targets: int, context: int, batch_size: int) -> Iterator[Batch]:
    """Inputs and targets (batch, time) int64 whose targets are tokens 1 to `targets`, each exactly once, in order.

    Windows stand side by side, at most `batch_size` in a batch; the last one is shorter where `context` does
    not divide `targets`, and comes alone. `tokens` holds at least `targets` + 1.
    """
    assert len(tokens) > targets > 0, f"{len(tokens)} tokens hold no {targets} targets"
    starts = np.arange(0, targets - context + 1, context)
    for first in range(0, len(starts), batch_size):
        yield _windows(tokens, starts[first : first + batch_size], context)
    rest = targets % context
    if rest:
        yield _windows(tokens, np.array([targets - rest]), rest)


def _windows(tokens: Tokens, starts: NDArray[np.int64], length: int) -> Batch:
    windows = tokens[starts[:, None] + np.arange(length + 1)].astype(np.int64)
    return np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])
