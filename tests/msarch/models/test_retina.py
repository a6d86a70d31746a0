"""The retina in chunks against the retina under one big mask, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from support.masked_retina import masked
from support.small_models import small, training_of
from torch import Tensor

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.layers.attention import attention_kernel
from msarch.memory.profile import count_training_step, profile_training_step
from msarch.models.causality import influence, randomised_copy
from msarch.models.language_model import LanguageModel
from msarch.models.retina import Retina, RetinaAttention, RetinaPattern, cut
from msarch.training.step import make_optimizer, training_step

SETS = [
    ((1, 4, 16), (8, 2)),
    ((1, 4, 16), (3, 1)),
    ((1, 4, 16), (64, 1)),  # a window of several chunks
    ((1, 4, 16), (5, 40)),
    ((1, 3, 6, 12), (4, 2, 1)),
    ((1, 7), (10,)),
    ((1,), ()),
    ((1,), (30,)),  # a sliding window
    ((1, 4), (8, 5)),
    ((1, 3, 6), (4, 2, 3)),
]
LENGTHS = (1, 2, 7, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 100, 129, 160)


def retina(factors: tuple[int, ...], windows: tuple[int, ...], chunk: int, **options: Any) -> Retina:
    """A random model in float64 that runs in chunks of about that many queries."""
    config = small("retina", "2@1", context=160, retina_factors=factors, retina_windows=windows, **options)
    model = cast(Retina, randomised_copy(build_model(config)))
    model.pattern = RetinaPattern(factors, windows, chunk, bias_heads=model.pattern.bias_heads)
    for module in model.modules():
        if isinstance(module, RetinaAttention):
            module.pattern = model.pattern  # all layers share one
    return model


def results(model: LanguageModel, tokens: Tensor) -> list[Tensor]:
    """Features, and the gradient of every parameter."""
    features = model.features(tokens)
    weights = torch.linspace(-1, 1, features.numel(), dtype=features.dtype).view_as(features)
    gradients = torch.autograd.grad((features * weights).sum(), list(model.parameters()))
    return [features, *gradients]


@pytest.mark.parametrize(
    ("factors", "windows", "chunk", "kernel"),
    [  # every set meets both kernels and all chunks, if not both kernels in each chunk
        pytest.param(*each, chunk, kernel, marks=[] if (row + column) % 2 == half else pytest.mark.slow)
        for row, each in enumerate(SETS)
        for column, chunk in enumerate((16, 48, 256))
        for half, kernel in enumerate(("fused", "unfused"))
    ],
)
def test_chunks_equal_the_mask_in_value_and_gradient(
    factors: tuple[int, ...], windows: tuple[int, ...], chunk: int, kernel: str
) -> None:
    model = retina(factors, windows, chunk)
    reference = masked(model)
    for length in LENGTHS:
        tokens = torch.randint(model.config.vocab_size, (2, length))
        with attention_kernel(kernel):
            for found, expected in zip(results(model, tokens), results(reference, tokens), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"positions": "rotary", "rotary_pairs": "halves"},
        {"positions": "rotary", "rotary_pairs": "adjacent"},
        {"positions": "alibi"},
        {"positions": "none"},
    ],
    ids=lambda options: " ".join(options.values()),
)
@pytest.mark.parametrize("chunk", [16, 256])
@pytest.mark.parametrize(("factors", "windows"), [((1, 4, 16), (8, 2)), ((1, 3, 6, 12), (4, 2, 1)), ((1, 7), (10,))])
def test_chunks_place_pooled_keys_at_their_last_token(
    factors: tuple[int, ...], windows: tuple[int, ...], chunk: int, options: dict[str, object]
) -> None:
    model = retina(factors, windows, chunk, **options)
    reference = masked(model)
    for length in (1, 15, 33, 100, 160):
        tokens = torch.randint(model.config.vocab_size, (2, length))
        for found, expected in zip(results(model, tokens), results(reference, tokens), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_most_chunks_share_one_bias() -> None:
    like = torch.empty(0)
    chunks = RetinaPattern((1, 4, 16), (64, 16), bias_heads=2).chunks(4096, like)
    assert len({chunk.mask.untyped_storage().data_ptr() for chunk in chunks}) <= 3
    for chunk in chunks:
        visible = RetinaPattern.visible(RetinaPattern((1, 4, 16), (64, 16)), chunk.queries, chunk.blocks)
        alone = RetinaPattern((1, 4, 16), (64, 16), bias_heads=2).mask(chunk.queries, chunk.blocks, visible, like)
        assert torch.equal(chunk.mask, alone)


def test_the_reference_is_another_one_with_other_windows() -> None:
    """Lest the comparison be of nothing with nothing."""
    tokens = torch.randint(61, (2, 100))
    found, expected = retina((1, 4, 16), (8, 2), 16), masked(retina((1, 4, 16), (12, 2), 16))
    assert (found.features(tokens) - expected.features(tokens)).abs().max() > 1e-3


@pytest.mark.parametrize(("factors", "windows"), SETS)
def test_keys_are_counted_as_the_chunks_have_them(factors: tuple[int, ...], windows: tuple[int, ...]) -> None:
    pattern = RetinaPattern(factors, windows, 16)
    for length in (1, 17, 331):
        read = torch.cat([(chunk.mask == 0).sum(dim=1) for chunk in pattern.chunks(length, torch.empty(0))])
        assert read.tolist() == pattern.keys(np.arange(length)).tolist()


def test_most_chunks_share_one_mask() -> None:
    chunks = RetinaPattern((1, 4, 16), (64, 16)).chunks(8192, torch.empty(0))
    assert len({chunk.mask.untyped_storage().data_ptr() for chunk in chunks}) <= 3
    assert sum(chunk.mask.shape[1] for chunk in chunks) * 256 < 2.7 * 8192 * 256


def test_masks_follow_the_type_and_length_asked_for() -> None:
    model = retina((1, 4, 16), (8, 2), 16)
    for length, dtype in ((100, torch.float64), (48, torch.float64), (48, torch.float32), (100, torch.float64)):
        assert model.to(dtype).features(torch.zeros(1, length, dtype=torch.int64)).dtype == dtype


def test_masks_first_made_in_inference_mode_can_be_trained_with() -> None:
    model = retina((1, 4, 16), (8, 2), 16)
    tokens = torch.zeros(1, 100, dtype=torch.int64)
    with torch.inference_mode():
        model.features(tokens)
    model.features(tokens).sum().backward()


def test_no_output_of_a_chunk_sees_ahead_and_all_see_the_whole_past() -> None:
    differs = influence(retina((1, 4, 16), (8, 2), 16), 70, range(70))
    assert torch.equal(differs, torch.ones_like(differs).triu())


def test_a_window_alone_reads_that_many_tokens_and_no_others() -> None:
    """Of one layer, since a second one would read what the first has read."""
    model = randomised_copy(build_model(small("retina", "1@1", retina_factors=(1,), retina_windows=(10,))))
    differs = influence(model, 48, range(48))
    ones = torch.ones_like(differs)
    assert torch.equal(differs, ones.triu() & ones.tril(diagonal=9))


def test_cut_parts_join_to_their_ranges() -> None:
    keys = torch.arange(20.0).view(1, 1, 20, 1)
    overlapping = [range(0, 5), range(3, 9), range(9, 9), range(8, 18)]
    from_the_start = [range(0, 0), range(0, 7), range(0, 20)]
    for ranges in (overlapping, from_the_start, [range(3, 8)]):
        for found, wanted in zip(cut(keys, ranges), ranges, strict=True):
            assert [key for part in found for key in part.flatten().tolist()] == list(wanted)


def long(variant: str, context: int) -> ModelConfig:
    options = {"retina_factors": (1, 4, 16), "retina_windows": (64, 16)} if variant == "retina" else {}
    return small(variant, "2@1", context=context, d_model=64, n_heads=2, **options)


@pytest.mark.parametrize("attention", ["fused", "unfused"])
@pytest.mark.parametrize("checkpointing", ["none", "block"])
def test_predicted_memory_is_counted_memory_over_several_chunks(attention: str, checkpointing: str) -> None:
    training = training_of(2, attention=attention, checkpointing=checkpointing)
    config = long("retina", 1100)
    predicted, counted = profile_training_step(config, training), count_training_step(config, training)
    assert predicted.peak_bytes == pytest.approx(counted.peak_bytes, rel=1e-3)


@pytest.mark.parametrize(("attention", "checkpointing", "share"), [("fused", "none", 1.15), ("unfused", "none", 0.25)])
def test_memory_against_vanilla_at_a_long_context(attention: str, checkpointing: str, share: float) -> None:
    """Neither joined copies nor masks are kept for each layer: they would add a third and more each."""
    training = training_of(1, attention=attention, checkpointing=checkpointing)
    ours, vanilla = (profile_training_step(long(name, 4096), training).peak_bytes for name in ("retina", "vanilla"))
    assert ours < share * vanilla


def test_checkpointing_changes_no_bit_over_several_chunks() -> None:
    tokens = torch.randint(61, (1, 1101))
    finals = []
    for checkpointing in ("none", "block"):
        torch.manual_seed(0)
        training = training_of(1, checkpointing=checkpointing)
        model = build_model(long("retina", 1100))
        optimizer = make_optimizer(model, training)
        for _ in range(2):
            training_step(model, optimizer, tokens[:, :-1], tokens[:, 1:], training)
        finals.append(torch.nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*finals)


def test_with_checkpointing_a_layer_keeps_its_input_alone() -> None:
    training = TrainingConfig(batch_size=1, checkpointing="block")
    shallow, deep = (
        profile_training_step(replace(long("retina", 1100), layers=f"{layers}@1"), training).activations
        for layers in (2, 6)
    )
    assert deep - shallow == pytest.approx(4 * 1100 * 64 * 4, rel=0.02)
