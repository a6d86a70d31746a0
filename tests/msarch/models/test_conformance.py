"""What every variant must hold, on copies whose every parameter is random. A variant gets it by being listed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from support.profiles import assert_parts_add_up
from support.small_models import CONFIGS, COVERING, covering_configs, label, training_of

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.config.variants import VARIANTS
from msarch.memory.profile import count_training_step, profile_training_step
from msarch.models.causality import check_causality, influence, randomised_copy
from msarch.training.checkpoint import read_tensors, write_tensors
from msarch.training.step import LOSSES, make_optimizer, training_step


def lengths(config: ModelConfig) -> list[int]:
    """1 and the neighbours of every factor, of the coarsest scale's multiples and of the context."""
    factors = config.scales
    near = {n + d for f in factors for n in (f, 2 * f, config.context) for d in (-1, 0, 1)}
    return sorted(n for n in near | {1} if 1 <= n <= config.context)


def test_every_registered_variant_is_in_the_suite(request: pytest.FixtureRequest) -> None:
    ids = [item.name for item in request.session.items if "test_shapes_of_any_length" in item.name]
    if len(ids) <= 1:
        pytest.skip("the suite was not collected whole")
    assert {name for name in VARIANTS if any(f"[{name} " in item for item in ids)} == set(VARIANTS)


def test_shapes_of_any_length(config: ModelConfig) -> None:
    model = build_model(config)
    for length in lengths(config):
        tokens = torch.randint(config.vocab_size, (2, length))
        assert model(tokens).shape == (2, length, config.vocab_size)


def test_a_sequence_beyond_the_context_is_refused(config: ModelConfig) -> None:
    with pytest.raises(ValueError, match="exceed the context of 48"):
        build_model(config)(torch.zeros(1, config.context + 1, dtype=torch.int64))


@cache
def what_reaches(config: ModelConfig, length: int) -> torch.Tensor:
    """(T, T), true at (u, t) where changing token u changes output t: found once, and asked by two tests."""
    return influence(randomised_copy(build_model(config)), length, range(length))


def test_no_output_sees_ahead_and_every_token_reaches_its_own_output(config: ModelConfig) -> None:
    for length in (config.context, config.context - 1, 2 * max(config.scales) - 1):
        differs = what_reaches(config, length)
        ahead = differs.tril(diagonal=-1)
        assert not ahead.any(), f"changing token u changes output t < u at (u, t) = {ahead.nonzero().tolist()}"
        assert differs.diagonal().all()


def test_every_later_output_depends_on_every_token(config: ModelConfig) -> None:
    """With full attention inside each scale nothing of the past is cut off (a retina's windows are per layer)."""
    differs = what_reaches(config, config.context)
    assert differs.triu().equal(torch.ones_like(differs).triu())


def test_the_quick_check_at_the_start_of_training_agrees(config: ModelConfig) -> None:
    check_causality(build_model(config))


def test_loss_of_random_tokens_is_that_of_a_uniform_guess(config: ModelConfig) -> None:
    """But for embeddings that start at 1/sqrt(d_model): what they read most in a state is the token that made it."""
    torch.manual_seed(0)
    config = replace(config, d_model=32)
    tokens = torch.randint(config.vocab_size, (16, 41))
    model = build_model(config)
    loss = LOSSES["full"](model.features(tokens[:, :-1]), model.readout_weight, tokens[:, 1:])
    most = 0.1 if config.embedding_init == "gpt2" else 2.0  # of log(vocab_size), 3.9
    assert abs(loss.item() - math.log(config.vocab_size)) < most


@covering_configs
def test_one_batch_can_be_learnt_by_heart(config: ModelConfig) -> None:
    torch.manual_seed(0)
    config = replace(config, d_model=32, context=24)
    training = TrainingConfig(batch_size=4, learning_rate=1e-2, weight_decay=0.0)
    model = build_model(config)
    optimizer = make_optimizer(model, training)
    tokens = torch.randint(config.vocab_size, (4, 25))
    losses = [math.inf]
    while losses[-1] >= 0.1 and len(losses) <= 120:
        losses.append(training_step(model, optimizer, tokens[:, :-1], tokens[:, 1:], training).item())
    assert losses[-1] < 0.1, losses[1::20]


def in_both_precisions() -> list[Any]:
    """In double precision every model, in single precision those that cover the options."""
    covering = [pytest.param(config, torch.float32, id=f"{label(config)}-float32") for config in COVERING]
    return [pytest.param(config, torch.float64, id=f"{label(config)}-float64") for config in CONFIGS] + covering


@pytest.mark.parametrize(("config", "dtype"), in_both_precisions())
def test_chunked_loss_equals_full_loss_in_value_and_gradient(config: ModelConfig, dtype: torch.dtype) -> None:
    model = randomised_copy(build_model(config)).to(dtype)
    tokens = torch.randint(config.vocab_size, (9, config.context + 1))
    results = []
    for name in ("full", "chunked"):
        loss = LOSSES[name](model.features(tokens[:, :-1]), model.readout_weight, tokens[:, 1:])
        results.append((loss, *torch.autograd.grad(loss, list(model.parameters()))))
    for full, chunked in zip(*results, strict=True):
        tolerance = 1e-10 if dtype == torch.float64 else 2e-4
        torch.testing.assert_close(full, chunked, rtol=tolerance, atol=tolerance)


# An orthogonal array: every pair of choices meets once or more.
CONDITIONS = [
    ("fused", "chunked", "float32", "none"),
    ("fused", "full", "bfloat16", "block"),
    ("fused", "chunked", "bfloat16", "none"),
    ("unfused", "chunked", "float32", "block"),
    ("unfused", "full", "float32", "none"),
    ("unfused", "full", "bfloat16", "none"),
]


TURNS = {config: turn for name in VARIANTS for turn, config in enumerate(c for c in COVERING if c.variant == name)}
"""Which of the six a model meets by default; three of them with `make test-slow`."""


def test_every_variant_meets_every_condition() -> None:
    met = {(config.variant, turn % len(CONDITIONS)) for config, turn in TURNS.items()}
    assert met == {(name, at) for name in VARIANTS for at in range(len(CONDITIONS))}


@pytest.mark.parametrize(
    ("config", "attention", "loss", "dtype", "checkpointing"),
    [
        pytest.param(
            config,
            *CONDITIONS[at],
            marks=[] if config in TURNS and at == TURNS[config] % len(CONDITIONS) else pytest.mark.slow,
            id=f"{label(config)} / {' '.join(CONDITIONS[at])}",
        )
        for number, config in enumerate(CONFIGS)
        for at in range(TURNS.get(config, number) % 2, len(CONDITIONS), 2)
    ],
)
def test_memory_without_hardware_equals_memory_on_real_tensors(
    config: ModelConfig, attention: str, loss: str, dtype: str, checkpointing: str
) -> None:
    training = training_of(3, attention=attention, loss=loss, dtype=dtype, checkpointing=checkpointing)
    predicted, counted = profile_training_step(config, training), count_training_step(config, training)
    assert predicted.peak_bytes == pytest.approx(counted.peak_bytes, rel=1e-3)
    assert predicted.flops == counted.flops
    assert_parts_add_up(config, predicted)


@covering_configs
def test_checkpointing_changes_no_bit_of_the_training(config: ModelConfig) -> None:
    tokens = torch.randint(config.vocab_size, (4, config.context + 1))
    finals = []
    for checkpointing in ("none", "block"):
        torch.manual_seed(0)
        training = training_of(4, checkpointing=checkpointing)
        model = build_model(config)
        optimizer = make_optimizer(model, training)
        for _ in range(3):
            training_step(model, optimizer, tokens[:, :-1], tokens[:, 1:], training)
        finals.append(torch.nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*finals)


def test_attended_pairs_are_those_that_attention_really_computes(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at the one place through which all attention goes."""
    import msarch.layers.aggregation as aggregation
    import msarch.layers.attention as attention
    import msarch.models.retina

    pairs = products = 0
    real, real_aligned = attention.attend, aggregation.attend_aligned

    def counting(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        nonlocal pairs, products
        if seen is None:
            computed = attention.causal_pairs(q.shape[2])
        else:
            one_head = seen.flatten(end_dim=-3)[0] if seen.ndim > 2 else seen
            computed = q.shape[0] * int((one_head if seen.dtype == torch.bool else one_head.isfinite()).sum())
        pairs += computed
        products += computed * q.shape[1] * q.shape[3]
        return real(q, k, v, seen)

    def counting_aligned(q: torch.Tensor, keys: list[torch.Tensor], *rest: Any) -> torch.Tensor:
        nonlocal pairs, products
        pairs += q.shape[2] * len(keys)
        products += q.shape[2] * len(keys) * q.shape[1] * q.shape[3]
        return real_aligned(q, keys, *rest)

    for module in (attention, msarch.models.retina):
        monkeypatch.setattr(module, "attend", counting)
    monkeypatch.setattr(aggregation, "attend_aligned", counting_aligned)
    for length in (1, 17, config.context):
        pairs = products = 0
        model = build_model(config)
        model(torch.zeros(1, length, dtype=torch.int64))
        assert (pairs, products) == (model.attended_pairs(length), model.attention_products(length))


def test_saved_weights_give_the_same_model(config: ModelConfig, tmp_path: Path) -> None:
    model, other = build_model(config), build_model(config)
    write_tensors(tmp_path / "model.safetensors", dict(model.state_dict()), {"candidate": "any"})
    tokens = torch.randint(config.vocab_size, (2, config.context))
    assert not torch.equal(model(tokens), other(tokens))
    tensors, metadata = read_tensors(tmp_path / "model.safetensors")
    other.load_state_dict(tensors)
    assert torch.equal(model(tokens), other(tokens)) and metadata == {"candidate": "any"}


def test_gradients_are_those_of_the_function(config: ModelConfig) -> None:
    """In float64, along a random direction in the space of all parameters, against central differences."""
    vocab_size = 256 if VARIANTS[config.variant].reads_bytes else 11
    config = replace(config, d_model=8, vocab_size=vocab_size, context=2 * max(config.scales) + 1)
    model = randomised_copy(build_model(config))
    tokens = torch.randint(config.vocab_size, (1, config.context))
    parameters: list[torch.Tensor] = list(model.parameters())
    direction = [torch.randn_like(parameter) for parameter in parameters]

    def loss(step: float) -> torch.Tensor:
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=step)
        total: torch.Tensor = model(tokens).log_softmax(dim=-1)[..., 0].sum()
        return total

    gradients = torch.autograd.grad(loss(0.0), parameters)
    along = sum((gradient * part).sum() for gradient, part in zip(gradients, direction, strict=True))
    step = 1e-6
    difference = (loss(step) - loss(-2 * step)) / (2 * step)
    torch.testing.assert_close(along, difference, rtol=1e-6, atol=1e-5)


@pytest.mark.slow  # checkpointing to the bit, which the others test, implies it
def test_the_same_seed_gives_the_same_bits(config: ModelConfig) -> None:
    finals = []
    for _ in range(2):
        torch.manual_seed(3)
        training = TrainingConfig(batch_size=2)
        model = build_model(config)
        optimizer = make_optimizer(model, training)
        tokens = torch.randint(config.vocab_size, (2, config.context + 1))
        for _ in range(2):
            training_step(model, optimizer, tokens[:, :-1], tokens[:, 1:], training)
        finals.append(torch.nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*finals)
