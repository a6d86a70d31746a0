"""Positions: by their definitions, and alike across scales."""

from __future__ import annotations

import pytest
import torch
from support.masked_retina import turned
from support.small_models import small
from torch import Tensor

from msarch import TrainingConfig, UserError, build_model
from msarch.layers.attention import CrossAttention, SelfAttention, attention_kernel
from msarch.layers.positions import ROTATIONS, Positions, distance_bias, last_tokens, null_first, slopes, visible
from msarch.memory.profile import profile_training_step

CPU = torch.device("cpu")


def test_a_block_stands_at_its_last_token_and_the_null_state_before_the_text() -> None:
    assert last_tokens(3, 4, CPU).tolist() == [3, 7, 11]
    assert null_first(last_tokens(2, 4, CPU)).tolist() == [-1, 3, 7]


def test_a_block_is_visible_from_its_last_token_on() -> None:
    seen = visible(torch.arange(6), null_first(last_tokens(1, 4, CPU)))
    assert seen.tolist() == [[True, False]] * 3 + [[True, True]] * 3


@pytest.mark.parametrize("pairs", ROTATIONS)
def test_turning_is_multiplication_with_complex_numbers(pairs: str) -> None:
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64)
    at = torch.tensor([0, 1, 2, 5, 40, 41, 1000])
    torch.testing.assert_close(ROTATIONS[pairs].at(x, at), turned(x, at, pairs))


@pytest.mark.parametrize("pairs", ROTATIONS)
def test_turned_scores_depend_on_distance_alone(pairs: str) -> None:
    q, k = torch.randn(2, 1, 1, 1, 16, dtype=torch.float64)

    def score(query: int, key: int) -> Tensor:
        at_q, at_k = torch.tensor([query]), torch.tensor([key])
        return (ROTATIONS[pairs].at(q, at_q) * ROTATIONS[pairs].at(k, at_k)).sum()

    torch.testing.assert_close(score(20, 3), score(117, 100))
    assert abs(score(20, 3) - score(20, 4)) > 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_both_ways_to_pair_are_one_model_with_its_numbers_in_another_order(dtype: torch.dtype) -> None:
    """Number i of a head's first half and of its second is number 2i and 2i + 1; type and layout are alike too."""
    x, at = torch.randn(2, 5, 3, 8, dtype=dtype).transpose(1, 2), torch.arange(5)
    order = torch.arange(8).view(2, 4).T.flatten()
    halves, adjacent = ROTATIONS["halves"].at(x, at), ROTATIONS["adjacent"].at(x[..., order], at)
    torch.testing.assert_close(halves[..., order], adjacent)
    assert halves.dtype == adjacent.dtype == dtype
    assert halves.stride() == adjacent.stride()


@pytest.mark.parametrize("pairs", ROTATIONS)
def test_queries_and_keys_are_turned_in_single_precision_at_least(pairs: str) -> None:
    """At token 1,000 half precision would not know by how much."""
    x, at = torch.randn(1, 1, 1, 8, dtype=torch.bfloat16), torch.tensor([1001])
    torch.testing.assert_close(ROTATIONS[pairs].at(x, at), ROTATIONS[pairs].at(x.double(), at).bfloat16())


def test_pairs_without_rotary_positions_are_refused() -> None:
    default = small("vanilla", "1@1").rotary_pairs
    other = next(pairs for pairs in ROTATIONS if pairs != default)
    with pytest.raises(UserError, match="rotary_pairs has no effect with positions alibi; leave it out"):
        small("vanilla", "1@1", positions="alibi", rotary_pairs=other)


def test_slopes_are_those_of_the_paper() -> None:
    assert slopes(8, torch.empty(0)).tolist() == [2.0**-h for h in range(1, 9)]


def test_bias_falls_with_the_distance_in_tokens() -> None:
    at_M = last_tokens(2, 4, CPU)
    at_N = torch.tensor([3, 9])
    bias = distance_bias(at_N, at_M, visible(at_N, at_M), 8, torch.empty(0))
    assert bias[0].tolist() == [[0.0, -float("inf")], [-3.0, -1.0]]


SCHEMES = [("learned", "halves"), ("rotary", "halves"), ("rotary", "adjacent"), ("alibi", "halves"), ("none", "halves")]


@pytest.mark.parametrize(("scheme", "pairs"), SCHEMES)
def test_attention_across_scales_is_attention_within_one_where_the_keys_are_the_same(scheme: str, pairs: str) -> None:
    """Cross-attention with explicit positions and a mask equals self-attention with shared tables."""
    within = SelfAttention(16, 2, Positions(scheme, 2, 3, pairs)).double()
    across = CrossAttention(16, 2, scheme, pairs).double()
    across.q.weight.data, across.q.bias.data = within.qkv.weight.data[:16], within.qkv.bias.data[:16]
    across.kv.weight.data, across.kv.bias.data = within.qkv.weight.data[16:], within.qkv.bias.data[16:]
    across.out.load_state_dict(within.out.state_dict())
    x, at = torch.randn(2, 9, 16, dtype=torch.float64), last_tokens(9, 3, CPU)
    for kernel in ("fused", "unfused"):
        with attention_kernel(kernel):
            torch.testing.assert_close(within(x), across(x, x, at, at))


@pytest.mark.parametrize(("scheme", "ordered"), [("learned", True), ("rotary", True), ("alibi", True), ("none", False)])
def test_only_without_positions_does_one_layer_forget_the_order_of_the_past(scheme: str, ordered: bool) -> None:
    model = build_model(small("vanilla", "1@1", positions=scheme)).double()
    tokens = torch.tensor([[5, 9, 30, 2], [30, 5, 9, 2]])
    first, second = model(tokens)[:, -1]
    assert (first - second).abs().max().item() > 1e-6 or not ordered
    assert (first - second).abs().max().item() < 1e-12 or ordered


def test_only_learned_positions_have_parameters() -> None:
    counts = {
        scheme: sum(p.numel() for p in build_model(small("top_down", "1@4 1@1", positions=scheme)).parameters())
        for scheme in ("learned", "rotary", "alibi", "none")
    }
    assert counts["rotary"] == counts["alibi"] == counts["none"] == counts["learned"] - 16 * (48 + 12)


def activations(scheme: str, **options: object) -> int:
    sizes = {"d_model": 64, "n_heads": 2, "vocab_size": 64}
    config = small("vanilla", "4@1", context=256, positions=scheme, **sizes, **options)
    return profile_training_step(config, TrainingConfig(batch_size=4)).activations


@pytest.mark.parametrize("pairs", ROTATIONS)
def test_turned_keys_cost_no_more_than_plain_ones(pairs: str) -> None:
    """They take the place of the projection: only the tables of angles come on top."""
    assert activations("rotary", rotary_pairs=pairs) - activations("none") == 2 * 256 * 16 * 4


def test_one_bias_serves_all_layers() -> None:
    assert activations("alibi") - activations("none") == 2 * 256 * 256 * 4


def test_heads_of_odd_width_cannot_be_turned() -> None:
    with pytest.raises(UserError, match="rotary turns pairs, and heads of width 5 are odd"):
        small("vanilla", "1@1", d_model=15, n_heads=3, positions="rotary")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(UserError, match="unknown positions 'rope'"):
        small("vanilla", "1@1", positions="rope")
