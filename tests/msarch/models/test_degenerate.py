"""Where a multi-scale model has nothing multi-scale left, it is the vanilla model, with the same weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.small_models import small

from msarch import ModelConfig, build_model
from msarch.models.causality import randomised_copy
from msarch.models.hourglass import Rejoin
from msarch.models.top_down import Projection

ONE_SCALE = [
    small("top_down", "3@1"),
    small("bottom_up", "3@1"),
    small("hourglass", "3@1"),
    small("retina", "3@1", retina_factors=(1,), retina_windows=()),
    small("retina", "3@1", retina_factors=(1, 4, 16), retina_windows=(48, 1)),
]


def difference(config: ModelConfig, other: ModelConfig) -> float:
    """Largest difference of the logits of two configurations with the same random weights, in float64."""
    left, right = randomised_copy(build_model(config)), build_model(other).double()
    right.load_state_dict(left.state_dict(), strict=True)
    tokens = torch.randint(config.vocab_size, (3, config.context - 1))
    return float((left(tokens) - right(tokens)).abs().max().item())


@pytest.mark.parametrize("config", ONE_SCALE, ids=lambda c: f"{c.variant} {c.retina_windows}")
def test_one_scale_is_the_vanilla_model(config: ModelConfig) -> None:
    assert difference(config, small("vanilla", "3@1")) < 1e-12


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("config", ONE_SCALE, ids=lambda c: f"{c.variant} {c.retina_windows}")
def test_one_scale_is_the_vanilla_model_under_any_positions(config: ModelConfig, positions: str) -> None:
    change: dict[str, Any] = {"positions": positions}
    assert difference(replace(config, **change), small("vanilla", "3@1", positions=positions)) < 1e-12


def test_spacebyte_of_one_scale_is_the_vanilla_model() -> None:
    bytes_ = small("vanilla", "3@1", vocab_size=256)
    assert difference(replace(bytes_, variant="spacebyte"), bytes_) < 1e-12


@pytest.mark.parametrize(
    "config",
    [
        small("vanilla", "1+2ff@1"),
        small("retina", "1+2ff@1", retina_factors=(1, 4, 16), retina_windows=(48, 1)),
        small("spacebyte", "1+2ff@1", vocab_size=256),
        small("hourglass", "1+2ff@1"),
        small("top_down", "1+2ff@1"),
        small("bottom_up", "1+2ff@1"),
    ],
    ids=lambda config: config.variant,
)
def test_a_layer_whose_attention_adds_nothing_is_one_without_attention(config: ModelConfig) -> None:
    model = randomised_copy(build_model(config))
    whole = randomised_copy(build_model(small("vanilla", "3@1", vocab_size=config.vocab_size)), seed=1)
    whole.load_state_dict(model.state_dict(), strict=False)
    for number in (1, 2):
        out = whole.get_submodule(f"stacks.1.blocks.{number}.attention.out")
        assert isinstance(out, torch.nn.Linear)
        torch.nn.init.zeros_(out.weight)
        torch.nn.init.zeros_(out.bias)
    tokens = torch.randint(config.vocab_size, (3, 47))
    assert (model(tokens) - whole(tokens)).abs().max() < 1e-12


def test_a_narrow_retina_is_another_model_than_vanilla() -> None:
    narrow = small("retina", "3@1", retina_factors=(1, 4, 16), retina_windows=(8, 2))
    assert difference(narrow, small("vanilla", "3@1")) > 1e-3


def test_bottom_up_without_a_coarse_scale_may_still_be_written_in_two_parts() -> None:
    left = randomised_copy(build_model(small("bottom_up", "2@1 1@1")))
    right = build_model(small("vanilla", "3@1")).double()
    moved = {name.replace("post.blocks.0", "stacks.1.blocks.2"): value for name, value in left.state_dict().items()}
    right.load_state_dict(moved, strict=True)
    tokens = torch.randint(61, (3, 48))
    assert (left(tokens) - right(tokens)).abs().max() < 1e-12


@pytest.mark.parametrize("layers", ["2@4 1@1", "2@4:48 1@1"])
@pytest.mark.parametrize("upsampling", ["repeat", "linear"])
def test_top_down_with_the_coarse_half_of_w_at_zero_is_its_fine_stack(upsampling: str, layers: str) -> None:
    coarse = randomised_copy(build_model(small("top_down", layers, upsampling=upsampling)))
    condition = coarse.get_submodule("conditions.1")
    assert isinstance(condition, Projection)
    torch.nn.init.eye_(condition.fine.weight)
    torch.nn.init.zeros_(condition.fine.bias)
    for parameter in condition.coarse.parameters():
        torch.nn.init.zeros_(parameter)
    fine = build_model(small("vanilla", "1@1")).double()
    fine.load_state_dict(coarse.state_dict(), strict=False)
    tokens = torch.randint(61, (3, 47))
    assert torch.equal(coarse(tokens), fine(tokens))


@pytest.mark.parametrize("layers", ["2@1 2@4 1@1", "2@1 1@2 1@4 1@2 1@1", "2@1 2@4:48 1@1"])
def test_hourglass_whose_coarse_stream_returns_nothing_is_its_fine_layers(layers: str) -> None:
    coarse = randomised_copy(build_model(small("hourglass", layers)))
    rejoin = coarse.get_submodule("rejoin.1")
    assert isinstance(rejoin, Rejoin)
    torch.nn.init.zeros_(rejoin.project.weight)
    torch.nn.init.zeros_(rejoin.project.bias)
    fine = build_model(small("vanilla", "3@1")).double()
    moved = {name.replace("post.1.blocks.0", "stacks.1.blocks.2"): value for name, value in coarse.state_dict().items()}
    assert not fine.load_state_dict(moved, strict=False).missing_keys
    tokens = torch.randint(61, (3, 47))
    assert torch.equal(coarse(tokens), fine(tokens))


def test_top_down_that_adds_nothing_is_its_fine_stack() -> None:
    coarse = randomised_copy(build_model(small("top_down", "2@4 1@1", combine="add", pool="conv")))
    norm = coarse.get_submodule("conditions.1.norm")
    assert isinstance(norm, torch.nn.LayerNorm)
    torch.nn.init.zeros_(norm.weight)
    torch.nn.init.zeros_(norm.bias)
    fine = build_model(small("vanilla", "1@1")).double()
    fine.load_state_dict(coarse.state_dict(), strict=False)
    tokens = torch.randint(61, (3, 47))
    assert torch.equal(coarse(tokens), fine(tokens))


@pytest.mark.parametrize("layers", ["2@1 2@4 1@1", "2@1 2@4:48 1@1"])
@pytest.mark.parametrize("aggregation", ["all", "aligned"])
def test_bottom_up_whose_aggregation_brings_nothing_is_its_fine_layers(aggregation: str, layers: str) -> None:
    coarse = randomised_copy(build_model(small("bottom_up", layers, aggregation=aggregation)))
    for name in ("attention.out", "feed_forward.out"):
        part = coarse.get_submodule(f"aggregation.{name}")
        assert isinstance(part, torch.nn.Linear)
        torch.nn.init.zeros_(part.weight)
        torch.nn.init.zeros_(part.bias)
    fine = build_model(small("vanilla", "3@1")).double()
    moved = {name.replace("post.blocks.0", "stacks.1.blocks.2"): value for name, value in coarse.state_dict().items()}
    assert not fine.load_state_dict(moved, strict=False).missing_keys
    tokens = torch.randint(61, (3, 47))
    assert torch.equal(coarse(tokens), fine(tokens))
