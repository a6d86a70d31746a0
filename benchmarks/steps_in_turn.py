"""Training steps of several models, taken in turn in one process: what else a machine does slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.models.language_model import LanguageModel
from msarch.training.step import make_optimizer, training_step

Step = Callable[[], object]

UNCOUNTED = 3
"""Rounds at the start that are not counted."""


def step_of(model: ModelConfig | LanguageModel, training: TrainingConfig) -> Step:
    """A training step of a model, a new one of a configuration, on random tokens."""
    built = build_model(model) if isinstance(model, ModelConfig) else model
    optimizer, config = make_optimizer(built, training), built.config
    inputs, targets = torch.randint(config.vocab_size, (2, training.batch_size, config.context))
    return lambda: training_step(built, optimizer, inputs, targets, training)


def in_turn(steps: Sequence[Step], rounds: int) -> list[list[float]]:
    """Processor seconds of each step in each round but the first ones, (steps, rounds); each other round backwards."""
    seconds: list[list[float]] = [[] for _ in steps]
    for index in range(rounds + UNCOUNTED):
        for at in range(len(steps)) if index % 2 else reversed(range(len(steps))):
            began = time.process_time()
            steps[at]()
            seconds[at].append(time.process_time() - began)
    return [each[UNCOUNTED:] for each in seconds]


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Of neighbouring steps."""
    return [one / other for one, other in zip(ones, others, strict=True)]
