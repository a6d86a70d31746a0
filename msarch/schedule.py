"""The learning rate over a training run: linear warm-up, then a cosine."""

from __future__ import annotations

import math

from msarch.config import TrainingConfig


def learning_rate(training: TrainingConfig, step: int, steps: int) -> float:
    """The learning rate of update `step` (from 0) of `steps`.

    It rises linearly to the peak over the warm-up share and falls along half a cosine to the final share of it.
    """
    warmup = max(1, round(training.warmup * steps))
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    low = training.final_learning_rate
    return training.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * progress)) / 2)
