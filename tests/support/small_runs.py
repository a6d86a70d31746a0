"""Training runs of a second or less, on tokens with something to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.small_models import small

from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.data.token_set import TokenSet
from msarch.training.trainer import Trainer


def token_set(tmp_path: Path, vocab_size: int = 61) -> TokenSet:
    """A language with something to learn: each token mostly follows from the one before."""
    generator = np.random.default_rng(0)
    steps = np.where(generator.random(40_000) < 0.8, 7, generator.integers(0, vocab_size, 40_000))
    tokens = (steps.cumsum() % vocab_size).astype(np.uint16)
    return TokenSet(
        train=tokens[:36_000],
        validation=tokens[36_000:38_000],
        test=tokens[38_000:],
        vocab_size=vocab_size,
        fingerprint="test",
        content="test",
        token_bytes=np.full(vocab_size, 2, dtype=np.int64),
        folder=tmp_path,
    )


def candidate(model: ModelConfig | None = None, **training: object) -> Candidate:
    values: dict[str, Any] = {"batch_size": 4, "tokens": 48 * 4 * 40, "validation_tokens": 500, **training}
    return Candidate(model=model or small("top_down", "1@4 1@1"), training=TrainingConfig(**values))


def trained(trainer: Trainer) -> Trainer:
    while not trainer.finished:
        trainer.advance()
    return trainer


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(trainer.model.parameters())
