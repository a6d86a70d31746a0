"""What CUDA's fused attention kernels keep for the backward pass, and what they hold while they run.

flash       runs for bfloat16 without a mask. Its backward pass sums the queries' gradient in float32, over multiples of
            128 queries and 32 numbers (``cuda/flash_attn/flash_api.cpp``, `dq_accum`, `softmax_d`).
efficient   runs for the rest (``cuda/sdp_utils.cpp``). It pads its log-sum-exp to multiples of 32 queries
            (``cuda/attention.cu``, `kAlignLSE`). Its backward pass sums gradients in float32, in whole tiles for each
            sequence and head, however short the sequence is (``cuda/mem_eff_attention/kernel_backward.h``,
            `workspace_size`).

Both keep two numbers of the random state. Places in torch's source are below ``ATen/native/transformers``. Tiles are
those of data centre GPUs from compute capability 8.0 on. Others have too little shared memory for some tiles of heads
wider than 64 and take smaller ones.

Shapes: B batch, N queries, M keys, H heads, K width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

_RANDOM_STATE = 16
"""Bytes of each of the two tensors, seed and offset, that a fused kernel keeps to draw the same dropout again."""
_FLASH_WIDTH = 256
"""The widest head that flash takes."""
_LAUNCH = 2**16 - 1
"""The most sequences that the efficient kernel takes at once; a larger batch runs in parts (`MAX_BATCH_SIZE`)."""


def is_flash(q_BHNK: Tensor, *, masked: bool) -> bool:
    """Whether CUDA takes the flash kernel, which has no float32, masks or very wide heads; else the efficient one."""
    half = q_BHNK.dtype in (torch.bfloat16, torch.float16)
    return half and not masked and q_BHNK.shape[3] <= _FLASH_WIDTH


def kept_by_attention(q_BHNK: Tensor, *, masked: bool) -> list[int]:
    """Bytes that a fused CUDA kernel keeps for the backward pass, beyond output and a log-sum-exp of each query."""
    batch, heads, queries, _ = q_BHNK.shape
    # -n % m is the distance from n up to the next multiple of m. Log-sum-exps are float32 for queries of any type.
    padding = 0 if is_flash(q_BHNK, masked=masked) else 4 * batch * heads * (-queries % 32)
    return [padding, _RANDOM_STATE, _RANDOM_STATE]


def held_by_attention(q_BHNK: Tensor, *, masked: bool) -> int:
    """Bytes that the forward pass of a fused CUDA kernel holds while it runs."""
    if is_flash(q_BHNK, masked=masked) or not _is_summed_in_memory(q_BHNK):
        return 0
    return 4 * q_BHNK[:_LAUNCH].numel()  # kNeedsOutputAccumulatorBuffer: the output in float32


def held_by_attention_backward(q_BHNK: Tensor, k_BHMK: Tensor, *, masked: bool) -> int:
    """Bytes that the backward pass of a fused CUDA kernel holds while it runs."""
    batch, heads, queries, width = q_BHNK.shape
    if is_flash(q_BHNK, masked=masked):
        rows = batch * heads * (queries + -queries % 128)
        return 4 * rows * (width + -width % 32) + 4 * rows  # dq_accum and softmax_d
    if batch > _LAUNCH:  # the gradients of each part are copied into those of the whole batch
        part, keys = q_BHNK[:_LAUNCH], k_BHMK[:_LAUNCH]
        return part.nbytes + 2 * keys.nbytes + held_by_attention_backward(part, keys, masked=masked)
    rows = batch * heads * queries
    held = efficient_workspace(q_BHNK, k_BHMK.shape[2]) + 4 * rows  # workspace and delta
    # In float32 delta is computed before: the product of output and its gradient, its sum, and a copy of that.
    return held if q_BHNK.itemsize < 4 else max(held, 4 * rows * width + 8 * rows)


def efficient_workspace(q_BHNK: Tensor, keys: int) -> int:
    """Bytes of float32 sums in the efficient kernel's backward pass over so many keys (`workspace_size`)."""
    batch, heads, queries, width = q_BHNK.shape
    of_queries, of_keys = backward_tile(width, q_BHNK.dtype)
    # GradQTempStorage: a tile's sums behind 16 bytes of its own.
    each = _tiles(queries, of_queries) * _tiles(width, of_keys) * (16 + 4 * of_queries * of_keys)
    if _is_summed_in_memory(q_BHNK):
        # num_splits_key: so many groups of keys run side by side, each with sums for the gradients of keys and values.
        groups = max(1, min(_tiles(keys, of_keys), 200 // (batch * heads)))
        each += 2 * groups * of_keys * 4 * _tiles(width, of_queries) * of_queries
    return batch * heads * each


def backward_tile(width: int, dtype: torch.dtype) -> tuple[int, int]:
    """Queries and keys of a tile of the efficient kernel's backward pass (kBlockSizeI, kBlockSizeJ).

    Those of the first kernel in ``cuda/mem_eff_attention/kernels/cutlassB.h`` whose heads are wide enough.
    """
    if width <= 64:
        return 64, 64
    return (128, 128) if width <= 128 and dtype.itemsize < 4 else (128, 64)


def _is_summed_in_memory(q_BHNK: Tensor) -> bool:
    """Whether the efficient kernel sums in float32 in memory what narrower heads sum in registers, or floats in place.

    The output in the forward pass, the gradients of keys and values in the backward pass (kNeedsAccumGradK).
    """
    return q_BHNK.itemsize < 4 and q_BHNK.shape[3] > 128


def _tiles(length: int, size: int) -> int:
    return -(-length // size)
