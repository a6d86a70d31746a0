"""What CUDA's attention kernels keep and hold: each rule on tensors, and on the list of kernels that torch ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from support.small_models import small, training_of

from msarch.memory.cuda_attention import (
    backward_tile,
    efficient_workspace,
    held_by_attention,
    held_by_attention_backward,
    is_flash,
    kept_by_attention,
)
from msarch.memory.profile import profile_training_step

FP32, BF16 = torch.float32, torch.bfloat16


def _states(length: int, dtype: torch.dtype, *, batch: int = 2, heads: int = 4, width: int = 48) -> torch.Tensor:
    return torch.empty(batch, heads, length, width, dtype=dtype, device="meta")


def test_flash_runs_for_half_precision_without_a_mask() -> None:
    assert is_flash(_states(8, BF16, width=256), masked=False)
    assert not is_flash(_states(8, BF16, width=256), masked=True)
    assert not is_flash(_states(8, BF16, width=264), masked=False)
    assert not is_flash(_states(8, FP32), masked=False)


def test_the_efficient_kernel_pads_its_log_sum_exp_and_flash_does_not() -> None:
    assert kept_by_attention(_states(33, FP32), masked=False)[0] == 4 * 2 * 4 * 31
    assert kept_by_attention(_states(33, BF16), masked=True)[0] == 4 * 2 * 4 * 31
    assert kept_by_attention(_states(64, FP32), masked=False)[0] == 0
    assert kept_by_attention(_states(33, BF16), masked=False)[0] == 0


def test_flash_sums_over_whole_blocks_of_queries_and_width() -> None:
    rows, states = 2 * 4 * 256, _states(129, BF16)
    assert held_by_attention_backward(states, states, masked=False) == 4 * rows * 64 + 4 * rows


def test_the_efficient_kernel_sums_in_whole_tiles_for_each_sequence_and_head() -> None:
    tile = 16 + 4 * 64 * 64
    assert efficient_workspace(_states(1, FP32, width=16), 2) == 2 * 4 * tile
    assert efficient_workspace(_states(1, BF16, width=16), 2) == 2 * 4 * tile
    assert efficient_workspace(_states(65, FP32, width=64), 65) == 2 * 4 * 2 * tile
    # 128 queries and 64 keys: two tiles are as wide as these heads.
    assert efficient_workspace(_states(1, FP32, width=72), 2) == 2 * 4 * 2 * (16 + 4 * 128 * 64)
    assert efficient_workspace(_states(129, FP32, width=72), 2) == 2 * 4 * 2 * 2 * (16 + 4 * 128 * 64)
    assert efficient_workspace(_states(1, BF16, width=72), 2) == 2 * 4 * (16 + 4 * 128 * 128)


def test_wide_heads_in_half_precision_sum_the_gradients_of_keys_and_values_too() -> None:
    of_queries = 3 * (16 + 4 * 128 * 64)
    group = 2 * 4 * 64 * 256
    assert efficient_workspace(_states(1, BF16, width=192), 64) == 2 * 4 * (of_queries + group)
    assert efficient_workspace(_states(1, BF16, width=192), 65) == 2 * 4 * (of_queries + 2 * group)
    # Two hundred groups at most over all sequences and heads, but one in each.
    assert efficient_workspace(_states(1, BF16, width=192), 64 * 99) == 2 * 4 * (of_queries + 25 * group)
    assert efficient_workspace(_states(1, BF16, batch=201, heads=1, width=192), 640) == 201 * (of_queries + group)
    assert efficient_workspace(_states(1, FP32, width=192), 640) == 2 * 4 * of_queries


def test_wide_heads_in_half_precision_sum_the_output_too() -> None:
    assert held_by_attention(_states(8, BF16, width=192), masked=True) == 4 * 2 * 4 * 8 * 192
    assert held_by_attention(_states(8, BF16, width=192), masked=False) == 0
    assert held_by_attention(_states(8, BF16, width=128), masked=True) == 0
    assert held_by_attention(_states(8, FP32, width=192), masked=True) == 0


def test_the_backward_pass_holds_sums_and_a_number_for_each_query() -> None:
    rows, states = 2 * 4 * 129, _states(129, FP32)
    assert held_by_attention_backward(states, states, masked=False) == 2 * 4 * 3 * (16 + 4 * 64 * 64) + 4 * rows
    # Tiles without a gap: computing the number for each query takes more than the sums.
    rows, states = 2 * 4 * 64, _states(64, FP32, width=64)
    assert held_by_attention_backward(states, states, masked=False) == 4 * rows * 64 + 8 * rows


def test_a_batch_too_large_for_one_launch_runs_in_parts() -> None:
    q, k = _states(1, FP32, batch=70_000, width=8), _states(2, FP32, batch=70_000, width=8)
    part = 65_535 * 4
    gradients = 4 * part * 8 * (1 + 2 + 2)
    assert held_by_attention_backward(q, k, masked=False) == gradients + part * (16 + 4 * 64 * 64) + 4 * part


KERNEL = re.compile(r"^ *cb\(AttentionBackwardKernel<[\w:]+, [\w:]+, true, false, \w+, (\d+), (\d+), (\d+)[,>]", re.M)
KERNELS = Path(torch.__file__).parent / "include/ATen/native/transformers/cuda/mem_eff_attention/kernels/cutlassB.h"


@pytest.mark.skipif(not KERNELS.is_file(), reason="this build of torch ships no headers of CUDA's kernels")
@pytest.mark.parametrize(("dtype", "name"), [(FP32, "f32"), (BF16, "bf16"), (torch.float16, "f16")])
def test_tiles_are_those_of_the_first_kernel_that_torch_lists_for_the_width(dtype: torch.dtype, name: str) -> None:
    """Aligned kernels without dropout, in the order in which torch tries them; those for some GPUs alone left out."""
    text = KERNELS.read_text(encoding="utf-8")
    listed = text.partition(f"void dispatch_cutlassB_{name}_sm80(")[2].partition("\n}")[0]
    kernels = [tuple(map(int, kernel)) for kernel in KERNEL.findall(listed)]
    assert kernels
    for width in (8, 64, 72, 96, 128, 136, 512):
        first = next(kernel for kernel in kernels if kernel[2] >= width)
        assert backward_tile(width, dtype) == first[:2]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_shortening_by_attention_holds_a_tile_for_each_block_and_head(dtype: str) -> None:
    """Its blocks lie in the batch dimension, each with a single query."""
    model = small("hourglass", "1@1 1@2 1@1", context=256, d_model=32, shortening="attention")
    training = training_of(8, dtype=dtype, checkpointing="block")
    assert profile_training_step(model, training, device="cuda").peak_bytes > 8 * 128 * 2 * (16 + 4 * 64 * 64)
