"""The learning rate over a training run: linear warm-up, then a cosine, or constant with a decay at the end."""

from __future__ import annotations

import math
from dataclasses import replace

from msarch.config import TrainingConfig

DECAY_SHARE = 0.2
"""The last part of a wsd run, in which the learning rate falls (warm-up, stable, decay: arXiv 2404.06395)."""


def learning_rate(training: TrainingConfig, step: int, steps: int) -> float:
    """The learning rate of update `step` (from 0) of `steps`.

    It rises linearly to the peak over the warm-up share. A cosine then falls along half a period to the final
    share of the peak; a wsd schedule stays at the peak and falls linearly there over the last fifth.
    """
    warmup = warmup_steps(training, steps)
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    low = training.final_learning_rate
    if training.schedule == "wsd":
        begin = decay_begin(steps)
        fallen = max(0.0, (step - begin) / max(1, steps - begin))
        return training.learning_rate * (1 - (1 - low) * fallen)
    progress = (step - warmup) / max(1, steps - warmup)
    return training.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * progress)) / 2)


def warmup_steps(training: TrainingConfig, steps: int) -> int:
    """Updates over which the learning rate rises to its peak."""
    return max(1, round(training.warmup * steps))


def decay_begin(steps: int) -> int:
    """The update from which on a wsd run decays; before it nothing but the warm-up depends on the budget."""
    return steps - round(DECAY_SHARE * steps)


def with_budget(training: TrainingConfig, context: int, budget: TrainingConfig) -> TrainingConfig:
    """`training`, a wsd one, with the tokens and rungs of `budget` and a warm-up of as many steps as it had.

    Up to its decay the new run takes the very updates of the old one, so it can begin from a checkpoint made there.
    """
    steps = budget.steps(context)
    return replace(budget, warmup=warmup_steps(training, training.steps(context)) / steps)
