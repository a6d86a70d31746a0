"""What is compared, and how sure a difference is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.options import choices, seed_noise
from benchmarks.rivals import equal_memory, fewer_heads, fine_alone, memory
from msarch import ModelConfig, TrainingConfig
from msarch.config import MODEL_CHOICES
from msarch.config.variants import VARIANTS

TRAINING = TrainingConfig(batch_size=4)
HOURGLASS = ModelConfig(
    variant="hourglass", layers="1@1 2@4 1@1", d_model=32, n_heads=2, vocab_size=64, context=64, upsampling="linear"
)


def test_every_option_of_every_variant_is_compared() -> None:
    models = [choice.model for choice in choices("bytes", TRAINING)]
    compared = {(model.variant, name, getattr(model, name)) for model in models for name in MODEL_CHOICES}
    for variant, known in VARIANTS.items():
        for name in known.options & set(MODEL_CHOICES):
            assert {(variant, name, value) for value in MODEL_CHOICES[name]} <= compared


def test_no_model_is_compared_with_itself() -> None:
    models = [choice.model for choice in choices("bytes", TRAINING)]
    assert len(set(models)) == len(models)


def test_rivals_are_vanilla_models_like_it() -> None:
    alone, heads, equal = fine_alone(HOURGLASS), fewer_heads(HOURGLASS), equal_memory(HOURGLASS, TRAINING)
    assert [rival.variant for rival in (alone, heads, equal)] == ["vanilla"] * 3
    assert (alone.layers, alone.n_heads, heads.layers, heads.n_heads) == ("2@1", 2, "2@1", 1)
    without_attention = replace(HOURGLASS, layers="1+1ff@1 2@4 1@1")
    assert fine_alone(without_attention).layers == "2+1ff@1"
    wanted, found = memory(HOURGLASS, TRAINING), memory(equal, TRAINING)
    one_less = memory(alone, TRAINING)
    assert abs(found - wanted) <= abs(one_less - wanted)


def test_noise_is_pooled_over_what_has_two_seeds() -> None:
    noise, freedom = seed_noise([[1.0, 1.2], [5.0], [2.0, 2.0, 2.3]])
    assert freedom == 3 and noise == pytest.approx(((0.02 + 0.06) / 3) ** 0.5)
    assert seed_noise([[1.0]])[1] == 0
