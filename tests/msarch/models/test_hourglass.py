"""The hourglass: its shift against the paper's, its order, and its extremes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.small_models import small
from torch.nn.functional import pad

from msarch import UserError, build_model
from msarch.layers.resampling import CausalUpsample, LinearUpsample, average_pool
from msarch.models.causality import check_causality


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_the_shift_is_the_papers_but_for_where_blocks_begin(factor: int) -> None:
    """Shifted right by k - 1, pooled and repeated, as published, equals ours after k - 1 zeros."""
    length = 4 * factor
    x = torch.randn(2, length, 3, dtype=torch.float64)
    shifted = pad(x, (0, 0, factor - 1, 1 - factor))
    paper = average_pool(shifted, factor).repeat_interleave(factor, dim=1)
    zeros_first = pad(x, (0, 0, factor - 1, 0))
    null = torch.full((2, 1, 3), torch.nan, dtype=torch.float64)
    pooled = torch.cat([null, average_pool(zeros_first, factor)], dim=1)
    ours = CausalUpsample(factor)(pooled, length + factor - 1)
    assert torch.equal(ours[:, factor - 1 :], paper)


@pytest.mark.parametrize(
    ("layers", "meant"),
    [
        ("4@4 2@1", "0@1 4@4 2@1"),
        ("2@1 4@4", "2@1 4@4 0@1"),
        ("2@1 1@2 4@4 2@1", "2@1 1@2 4@4 0@2 2@1"),
        ("2@1 1@4 1@2 2@4 1@1", "2@1 0@2 3@4 1@2 1@1"),
        ("2@1 1@1", "3@1"),
    ],
)
def test_another_order_is_refused_with_what_was_meant(layers: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{meant}'"):
        small("hourglass", layers)


@pytest.mark.parametrize("layers", ["1@1 0@4 1@1", "1@1 0@2 1@4 0@2 1@1", "0@1"])
def test_a_scale_without_any_layer_is_refused(layers: str) -> None:
    with pytest.raises(UserError, match=r"leave that stage out|at least one layer"):
        small("hourglass", layers)


def test_layers_before_and_after_need_not_be_as_many() -> None:
    config = small("hourglass", "2@1 8@3 1@1")
    assert config.scales == (1, 3) and config.n_layers == 11
    assert small("hourglass", "2@1 1@2 4@4 1@2 2@1").scales == (1, 2, 4)


def test_the_papers_ablation_without_fine_layers_is_causal() -> None:
    check_causality(build_model(small("hourglass", "0@1 2@3 0@1")))


def test_the_cache_holds_a_key_and_a_value_of_each_state_of_each_layer() -> None:
    """And, between two scales, a state of the running block and the last coarse state."""
    model = build_model(small("hourglass", "1@1 2@2 3@4 1@2 2@1"))
    assert model.cached_numbers(43) == 2 * 16 * (3 * 43 + 3 * 21 + 3 * 10) + 16 * (1 + 1 + 1 + 1)
    fewer = build_model(small("hourglass", "1+2ff@1 2ff@2 1+2ff@4 1@2 2@1"))
    assert fewer.cached_numbers(43) == 2 * 16 * (3 * 43 + 21 + 10) + 16 * 4
    wider = build_model(small("hourglass", "1@1 2@2 3@4:48 1@2 2@1", shortening="linear", upsampling="linear"))
    between = 16 * (1 + 2 + 1 + 2)  # a block less one state, and a part of the coarse state for each position
    assert wider.cached_numbers(43) == 2 * (16 * (3 * 43 + 3 * 21) + 48 * 3 * 10) + between


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shortening": "mean"}, "unknown shortening 'mean'"),
        ({"upsampling": "attn"}, "did you mean 'attention'"),
    ],
)
def test_an_unknown_way_between_scales_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small("hourglass", "1@1 1@4 1@1", **options)


def test_other_variants_have_no_such_options() -> None:
    with pytest.raises(UserError, match="shortening has no effect on top_down"):
        small("top_down", "1@4 1@1", shortening="linear")


def test_linear_up_sampling_gives_each_position_its_own_part() -> None:
    parts = torch.arange(12.0).view(1, 2, 6)  # the null state and one block, k = 3, D = 2
    up = LinearUpsample(3)(parts, 5)[0]
    assert up[:, 0].tolist() == [2, 4, 6, 8, 10]  # two positions before the first block is complete, then its three
