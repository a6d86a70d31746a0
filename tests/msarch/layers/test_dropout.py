"""Dropout on residual branches: only in training, restorable, and off without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.small_models import small, training_of, windows
from support.small_runs import candidate, token_set, trained, weights

from msarch import ModelConfig, TrainingConfig, UserError, build_model
from msarch.memory.profile import count_training_step, profile_training_step
from msarch.training.trainer import Trainer

DROPPING = [
    small("vanilla", "2@1", dropout=0.2),
    small("top_down", "1@4 1@1", dropout=0.2),
    small("bottom_up", "1@1 1@4 1@1", dropout=0.2),
    small("retina", "2@1", dropout=0.2, **windows(8, 2)),
    small("hourglass", "1@1 1@4 1@1", dropout=0.2),
]


@pytest.mark.parametrize("config", DROPPING, ids=lambda config: config.variant)
def test_training_drops_and_evaluation_does_not(config: ModelConfig) -> None:
    model = build_model(config)
    tokens = torch.randint(config.vocab_size, (2, 20))
    assert not torch.equal(model(tokens), model(tokens))
    model.eval()
    assert torch.equal(model(tokens), model(tokens))


@pytest.mark.parametrize("config", DROPPING, ids=lambda config: config.variant)
def test_its_masks_are_part_of_memory(config: ModelConfig) -> None:
    for checkpointing in ("none", "block"):
        training = training_of(3, checkpointing=checkpointing)
        predicted, counted = profile_training_step(config, training), count_training_step(config, training)
        assert predicted.peak_bytes == pytest.approx(counted.peak_bytes, rel=1e-3)
    without = small(
        config.variant, config.layers, retina_factors=config.retina_factors, retina_windows=config.retina_windows
    )
    training = TrainingConfig(batch_size=3)
    assert profile_training_step(config, training).activations > profile_training_step(without, training).activations


def test_a_restored_run_drops_what_an_uninterrupted_one_drops(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    whole = trained(Trainer(candidate(DROPPING[1]), tokens))
    first = Trainer(candidate(DROPPING[1]), tokens)
    for _ in range(3):
        first.advance()
    first.save(tmp_path)
    torch.manual_seed(99)
    second = Trainer(candidate(DROPPING[1]), tokens)
    assert second.restore(tmp_path)
    assert torch.equal(weights(whole), weights(trained(second)))


def test_a_share_beyond_reason_is_refused() -> None:
    with pytest.raises(UserError, match=r"between 0 and 0\.9"):
        small("vanilla", "1@1", dropout=1.0)
