"""Configurations that nobody thought of: Hypothesis draws them across all variants and options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.small_models import small

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.config import MODEL_CHOICES, NEEDS, TRAINING_CHOICES
from msarch.config.allocation import format_layers, parse_layers
from msarch.config.variants import VARIANTS, Variant
from msarch.memory.profile import count_training_step, profile_training_step
from msarch.models.causality import influence, randomised_copy


@st.composite
def configurations(draw: st.DrawFn, variant: str) -> ModelConfig:
    """Any legal model of the variant, small enough to try: its layers and all of its options."""
    known = VARIANTS[variant]
    heads, d_head = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([2, 4, 8]))
    options: dict[str, Any] = {
        name: draw(st.sampled_from(choices))
        for name, choices in MODEL_CHOICES.items()
        if name in known.options or not any(name in other.options for other in VARIANTS.values())
    }
    if options["positions"] != "rotary":
        del options["rotary_pairs"]
    if options["parametrization"] == "mup":
        options["base_width"] = draw(st.sampled_from([1, 8, 64]))
    layers, factors = draw(allocations(known))
    layers = draw(with_widths(draw(with_ff_layers(layers, known)), d_head))
    if "pool" in options and any(stage.factor > 1 and not stage.attention_layers for stage in parse_layers(layers)):
        options["pool"] = draw(st.sampled_from([way for way in MODEL_CHOICES["pool"] if way != "query_only"]))
    if "retina_factors" in known.options:
        listed = len(factors) - draw(st.integers(0, 1))
        options |= {"retina_factors": factors, "retina_windows": draw(windows(listed))}
    vocab_size = 256 if known.reads_bytes else 13
    context = draw(st.integers(max(factors) + 1, 3 * max(factors) + 5))
    return small(
        variant, layers, context=context, d_model=heads * d_head, n_heads=heads, vocab_size=vocab_size, **options
    )


@st.composite
def allocations(draw: st.DrawFn, known: Variant) -> tuple[str, tuple[int, ...]]:
    """Layers in the variant's order of computation, and the shortening factors, finest first."""
    ratios = draw(st.lists(st.integers(2, 4), max_size=2))
    factors = (1, *(int(torch.tensor(ratios[: n + 1]).prod()) for n in range(len(ratios))))
    layers = st.integers(1, 2)
    down = [f"{draw(layers)}@{factor}" for factor in factors]
    name = known.order.__name__
    if name == "one_stack":
        return down[0], factors if "retina_factors" in known.options else (1,)
    if name == "coarse_to_fine":
        return " ".join(reversed(down)), factors
    if len(factors) == 1:
        return down[0], factors
    if name == "fine_coarse_fine":
        return f"{draw(st.integers(0, 2))}@1 {down[1]} {draw(layers)}@1", factors[:2]
    if draw(st.booleans()):  # no fine layer before the first shortening
        down[0] = "0@1"
    if name == "fine_to_coarse_and_back":
        return " ".join([*down, f"{draw(layers)}@1"]), factors
    assert name == "there_and_back", f"say here how {name} is written"
    return " ".join([*down, *(f"{draw(layers)}@{factor}" for factor in factors[-2::-1])]), factors


@st.composite
def with_ff_layers(draw: st.DrawFn, layers: str, known: Variant) -> str:
    """The same layers, some without attention; where the last stage is fine it keeps one, in which tokens mix."""
    stages = parse_layers(layers)
    keep = len(stages) - 1 if stages[-1].layers else 0
    return format_layers(
        [
            replace(stage, ff_layers=draw(st.integers(0, stage.layers - (number == keep))))
            for number, stage in enumerate(stages)
        ]
    )


@st.composite
def with_widths(draw: st.DrawFn, layers: str, d_head: int) -> str:
    """The same layers, with widths at some of the coarse scales: a whole number of heads each."""
    stages = parse_layers(layers)
    heads = {factor: draw(st.integers(0, 4)) for factor in {stage.factor for stage in stages} - {1}}
    return format_layers([replace(stage, width=d_head * heads.get(stage.factor, 0)) for stage in stages])


def windows(count: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(1, 5)] * count)


def any_model(count: int) -> settings:
    """Derandomised: what fails here fails everywhere. `make test-slow` draws others."""
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def holds(config: ModelConfig, training: TrainingConfig) -> None:
    """Causal to the bit at its context and at odd lengths, and as large as predicted."""
    model = randomised_copy(build_model(config))
    for length in sorted({1, max(config.scales) - 1, config.context - 1, config.context} - {0}):
        differs = influence(model, length, range(length))
        assert not differs.tril(diagonal=-1).any(), "sees ahead"
        assert differs.diagonal().all(), "a token does not reach its own output"
    predicted, counted = profile_training_step(config, training), count_training_step(config, training)
    assert predicted.peak_bytes == pytest.approx(counted.peak_bytes, rel=1e-3)
    assert predicted.flops == counted.flops


TRAININGS = st.builds(
    TrainingConfig,
    batch_size=st.just(2),
    **{name: st.sampled_from(TRAINING_CHOICES[name]) for name in ("attention", "loss", "checkpointing")},
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_model_is_causal_and_as_large_as_predicted(variant: str) -> None:
    any_model(6)(given(configurations(variant), TRAININGS)(holds))()


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_many_more_models_are_causal_and_as_large_as_predicted(variant: str) -> None:
    many = settings(any_model(400), derandomize=False)
    many(given(configurations(variant), TRAININGS)(holds))()


def test_a_drawn_model_can_fail() -> None:
    """The same comparison with another model's prediction."""
    config = small("top_down", "1@4 1@1", pool="conv", combine="add")
    training = TrainingConfig(batch_size=2)
    other = profile_training_step(replace(config, pool="average"), training)
    assert other.peak_bytes != pytest.approx(count_training_step(config, training).peak_bytes, rel=1e-3)


def test_every_option_is_drawn() -> None:
    """A new option of ModelConfig is one of MODEL_CHOICES, or is drawn by name above."""
    by_name = {"retina_factors", "retina_windows"}
    options = set().union(NEEDS, *(known.options for known in VARIANTS.values()))
    assert options <= set(MODEL_CHOICES) | by_name | {"base_width"}
