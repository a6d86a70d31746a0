"""Small configurations of every variant, for the conformance suite and for whoever needs a model at once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from msarch import ModelConfig, TrainingConfig
from msarch.config import MODEL_CHOICES


def small(variant: str, layers: str, *, context: int = 48, **options: Any) -> ModelConfig:
    values = {"d_model": 16, "n_heads": 2, "vocab_size": 61, "context": context, **options}
    return ModelConfig(variant=variant, layers=layers, **values)


def training_of(batch_size: int, **options: Any) -> TrainingConfig:
    """A `TrainingConfig` whose words are variables of a test: plain strings to mypy, which wants literals."""
    return TrainingConfig(batch_size=batch_size, **options)


def windows(*sizes: int) -> dict[str, Any]:
    return {"retina_factors": (1, 4, 16)[: len(sizes) + 1], "retina_windows": sizes}


CONFIGS = [
    small("vanilla", "3@1"),
    small("top_down", "3@1"),
    small("top_down", "2@4 1@1"),
    small("top_down", "1@16 2@4 1@1"),
    small("top_down", "1@12 1@6 1@3 1@1"),
    small("top_down", "1@7 1@1"),
    small("bottom_up", "3@1"),
    small("bottom_up", "1@1 2@4 1@1"),
    small("bottom_up", "0@1 2@4 1@1"),
    small("bottom_up", "1@1 2@5 0@1"),
    small("bottom_up", "1@1 1@4 2@16 1@1"),
    small("bottom_up", "1@1 1@2 1@6 1@12 1@1"),
    small("retina", "2@1", **windows(8, 2)),
    small("retina", "3@1", **windows(3, 1)),
    small("retina", "2@1", **windows(5)),
    small("retina", "2@1", retina_factors=(1, 3, 6, 12), retina_windows=(4, 2, 1)),
    small("hourglass", "3@1"),
    small("hourglass", "1@1 2@3 1@1"),
    small("hourglass", "0@1 2@4 1@1"),
    small("hourglass", "2@1 1@5 0@1"),
    small("hourglass", "1@1 1@2 2@4 1@2 1@1"),
    small("hourglass", "1@1 1@4 1@1", shortening="linear", upsampling="linear"),
    small("hourglass", "1@1 1@2 1@6 0@2 1@1", shortening="attention", upsampling="attention"),
    small("hourglass", "1@1 0@3 1@6 1@12 0@6 1@3 1@1"),
    small("vanilla", "2@1", positions="rotary", rotary_pairs="halves", embedding_init="gpt2"),
    small("vanilla", "2@1", positions="rotary", embedding_init="fan_in"),
    small("vanilla", "2@1", positions="alibi", parametrization="mup", base_width=8),
    small("vanilla", "2@1", positions="none"),
    small("top_down", "1@4 1@1", pool="conv", combine="add", positions="none"),
    small("top_down", "1@16 2@4 1@1", pool="attention", combine="add", positions="alibi"),
    small("top_down", "1@12 2@3 1@1", pool="query_only", positions="rotary"),
    small("top_down", "1@4 1@1", embedding_init="fan_in", parametrization="mup", base_width=8),
    small("top_down", "2@4 1@1", pool="query_only"),
    small("top_down", "1@16 1@4 1@1", upsampling="linear", positions="rotary"),
    small("top_down", "1@6 1@3 1@1", upsampling="attention", combine="add", positions="alibi"),
    small("top_down", "1@16 1@4 1@1", upsampling="attention", positions="rotary"),
    small("bottom_up", "1@1 1@4 1@1", pool="conv", aggregation="aligned"),
    small(
        "bottom_up",
        "0@1 2@4 1@16 1@1",
        pool="attention",
        aggregation="aligned",
        positions="rotary",
        rotary_pairs="adjacent",
    ),
    small("bottom_up", "1@1 1@3 2@6 1@1", pool="query_only", positions="alibi"),
    small("bottom_up", "1@1 1@2 1@4 0@1", pool="query_only", aggregation="aligned", positions="alibi"),
    small("bottom_up", "1@1 1@4 1@1", positions="rotary", rotary_pairs="halves", embedding_init="fan_in"),
    small("retina", "2@1", positions="rotary", rotary_pairs="halves", **windows(8, 2)),
    small("retina", "2@1", positions="rotary", **windows(3, 1)),
    small("retina", "2@1", positions="alibi", **windows(3, 1)),
    small("retina", "2@1", positions="none", **windows(8)),
    small("retina", "2@1", positions="rotary", retina_factors=(1,), retina_windows=(30,)),
    small("retina", "2@1", positions="alibi", retina_factors=(1, 4), retina_windows=(8, 6)),
    small(
        "hourglass",
        "1@1 1@4 1@1",
        shortening="attention",
        upsampling="attention",
        positions="rotary",
        rotary_pairs="adjacent",
    ),
    small("hourglass", "1@1 1@2 1@6 0@2 1@1", shortening="attention", upsampling="attention", positions="alibi"),
    small("spacebyte", "3@1", vocab_size=256),
    small("spacebyte", "1@1 2@4 1@1", vocab_size=256),
    small("spacebyte", "0@1 1@3 2@1", vocab_size=256, positions="rotary"),
    small("spacebyte", "1@1 1@16 1@1", vocab_size=256, positions="rotary", rotary_pairs="halves"),
    small("spacebyte", "1@1 1@5 1@1", vocab_size=256, positions="alibi"),
    # Scales of their own widths.
    small("top_down", "1@16:48 2@4:32 1@1"),
    small("top_down", "2@4:32 1@1", pool="conv", combine="add", positions="rotary"),
    small("top_down", "1@4:64 1@1", combine="add", upsampling="linear"),
    small("top_down", "1@16 1@4:32 1@1", pool="attention", combine="add", upsampling="attention", positions="alibi"),
    small("top_down", "2@4:16 1@1", d_model=32, pool="query_only", parametrization="mup", base_width=8),
    small("bottom_up", "1@1 1@4:32 2@16:48 1@1"),
    small("bottom_up", "0@1 2@4:32 1@16 1@1", pool="query_only", aggregation="aligned", positions="rotary"),
    small("hourglass", "1@1 1@2:32 2@4:48 1@2 1@1"),
    small("hourglass", "1@1 1@6:16 1@1", d_model=32, shortening="linear", upsampling="linear", positions="rotary"),
    small("hourglass", "1@1 1@4:32 1@1", shortening="attention", upsampling="attention", positions="alibi"),
    small("spacebyte", "1@1 2@4:32 1@1", vocab_size=256, positions="rotary"),
    small("spacebyte", "1@1 1@5:32 1@1", vocab_size=256, positions="alibi"),
    # Layers without attention.
    small("vanilla", "1+2ff@1"),
    small("top_down", "2ff@16 1+1ff@4:32 1@1"),
    small("top_down", "1+1ff@4 1+1ff@1", pool="query_only", positions="rotary"),
    small("bottom_up", "1ff@1 1+1ff@4 1@16 1@1", positions="alibi"),
    small("bottom_up", "1@1 2ff@4 1ff@1", aggregation="aligned"),
    small("retina", "1+1ff@1", **windows(8, 2)),
    small("hourglass", "1@1 2ff@2 1+1ff@4:32 1ff@2 1+1ff@1"),
    small("spacebyte", "2ff@1 1+1ff@4 1+1ff@1", vocab_size=256),
    small("spacebyte", "1@1 2ff@5:32 1@1", vocab_size=256, positions="rotary"),
]


def traits(config: ModelConfig) -> set[tuple[Any, ...]]:
    """What a configuration is an example of: its variant with the value of each option, and with each kind of stage."""
    options = [(name, getattr(config, name)) for name in MODEL_CHOICES]
    stages = [(stage.factor > 1, stage.width > 0, bool(stage.ff_layers), stage.layers == 0) for stage in config.stages]
    counts = ("scales", len(config.scales), len(config.retina_windows))
    return {(config.variant, *trait) for trait in (*options, *stages, counts)}


def covering(configs: list[ModelConfig]) -> list[ModelConfig]:
    """As few of the configurations as have all their traits together, about."""
    left, chosen = set[tuple[Any, ...]]().union(*map(traits, configs)), list[ModelConfig]()
    while left:
        chosen.append(max(configs, key=lambda config: len(traits(config) & left)))
        left -= traits(chosen[-1])
    return chosen


COVERING = covering(CONFIGS)
"""Every variant with each of its options, for tests that take long."""


def label(config: ModelConfig) -> str:
    """The variant, its layers, and every option that is not at its default."""
    named = ("variant", "layers", "d_model", "n_heads", "vocab_size", "context")
    extra = {f.name: getattr(config, f.name) for f in fields(ModelConfig) if f.name not in named}
    default = {f.name: f.default for f in fields(ModelConfig)}
    shown = [" ".join(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in extra.items() if v != default[k]]
    return " / ".join([f"{config.variant} {config.layers}", *shown])


covering_configs = pytest.mark.parametrize(
    "config", [pytest.param(c, marks=[] if c in COVERING else pytest.mark.slow, id=label(c)) for c in CONFIGS]
)
"""A test of each of `COVERING`, and of the rest of `CONFIGS` with `make test-slow`."""
