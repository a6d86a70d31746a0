"""Candidates for `benchmarks.memory_accuracy`: drawn from every space that ships, made small enough to run here.

A space says what may vary. The conditions of training vary too, and so do options of the variant that the space does
not mention. A candidate above the bound is made smaller step by step: the batch first, then the width, then the
vocabulary. The same operations run, so memory still has the same parts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from msarch import ModelConfig, TrainingConfig, UserError, profile_training_step
from msarch.config import MODEL_CHOICES, TRAINING_CHOICES
from msarch.config.variants import VARIANTS
from search.show.terminal.space_description import sample_candidates
from search.space.files import shipped_spaces
from search.space.load import load_space

DROPOUTS = (0.0, 0.0, 0.1)
CONDITIONS = ("attention", "loss", "dtype", "checkpointing")


@dataclass(frozen=True)
class Drawn:
    """A model and how it is trained; `space` is where it comes from, `shrunk` what was made smaller."""

    space: str
    model: ModelConfig
    training: TrainingConfig
    shrunk: tuple[str, ...]


def draw(count: int, bound: int, seed: int = 0) -> Iterator[Drawn]:
    """At least `count` candidates whose predicted memory is at most `bound` bytes, as many from each space."""
    names = sorted(shipped_spaces())
    each = -(-count // len(names))
    generator = random.Random(seed)
    for name in names:
        for candidate in sample_candidates(load_space(name), each, seed=seed):
            model = vary_options(candidate.model, generator)
            training = vary_conditions(candidate.training, generator)
            yield shrink(Drawn(name, model, training, ()), bound)


def vary_conditions(training: TrainingConfig, generator: random.Random) -> TrainingConfig:
    """The same training with attention kernel, loss, precision and checkpointing drawn."""
    drawn: dict[str, Any] = {name: generator.choice(TRAINING_CHOICES[name]) for name in CONDITIONS}
    return replace(training, **drawn)


def vary_options(model: ModelConfig, generator: random.Random) -> ModelConfig:
    """The same model with dropout and those options drawn that its variant has; unchanged where they do not fit."""
    variants_only = {name for variant in VARIANTS.values() for name in variant.options}
    legal = [name for name in MODEL_CHOICES if name in VARIANTS[model.variant].options or name not in variants_only]
    drawn: dict[str, Any] = {name: generator.choice(MODEL_CHOICES[name]) for name in legal}
    try:
        return replace(model, dropout=generator.choice(DROPOUTS), **drawn)
    except UserError:
        return model


def shrink(drawn: Drawn, bound: int) -> Drawn:
    """The candidate, or a smaller one of the same layout, that needs at most `bound` bytes."""
    while (peak := profile_training_step(drawn.model, drawn.training).peak_bytes) > bound:
        smaller = _smaller(drawn, peak / bound)
        if smaller is None:
            break
        drawn = smaller
    return drawn


def _smaller(drawn: Drawn, times: float) -> Drawn | None:
    model, training = drawn.model, drawn.training
    if training.batch_size > 1:
        batch = max(1, min(training.batch_size - 1, int(training.batch_size / times)))
        return replace(drawn, training=replace(training, batch_size=batch), shrunk=("batch",))
    if model.n_heads > 1:
        heads = max(1, model.n_heads // 2)
        narrow = replace(model, n_heads=heads, d_model=heads * model.d_head)
        return replace(drawn, model=narrow, shrunk=tuple(dict.fromkeys((*drawn.shrunk, "width"))))
    if model.vocab_size > 1024:
        fewer = replace(model, vocab_size=max(1024, model.vocab_size // 4))
        return replace(drawn, model=fewer, shrunk=tuple(dict.fromkeys((*drawn.shrunk, "vocabulary"))))
    return None
