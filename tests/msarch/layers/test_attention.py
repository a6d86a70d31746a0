"""Attention on CUDA for heads of any width: the same numbers, and the widths that its kernels get."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from support.small_models import small, training_of
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from msarch.layers.attention import attend, attention_kernel, attention_on_cuda
from msarch.memory.cuda_kernels import CudaFunctions
from msarch.memory.profile import profile_training_step


def _heads(width: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 9, width, generator=generator).to(dtype).requires_grad_() for _ in range(3))
    return q, k, v


def _bias() -> Tensor:
    """ALiBi's, for one head."""
    distance = torch.arange(9.0)[None] - torch.arange(9.0)[:, None]
    return distance.masked_fill(distance > 0, -math.inf)[None, None]


@pytest.mark.parametrize("options", [{"is_causal": True}, {"attn_mask": _bias()}], ids=["causal", "bias"])
@pytest.mark.parametrize("width", [1, 5, 6, 12])
def test_padded_heads_give_the_same_numbers_and_gradients(width: int, options: dict[str, Any]) -> None:
    heads = _heads(width)
    plain = F.scaled_dot_product_attention(*heads, **options)
    gradients = torch.autograd.grad(plain.square().sum(), heads)
    with attention_kernel("fused"):
        padded = attention_on_cuda(*heads, **options)
    torch.testing.assert_close(padded, plain)
    torch.testing.assert_close(torch.autograd.grad(padded.square().sum(), heads), gradients)


class Widths(TorchFunctionMode):
    """The widths of heads that attention is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            self.seen += [part.shape[-1] for part in args]
        return func(*args, **(kwargs or {}))


def _widths_on_cuda(width: int, dtype: torch.dtype, kernel: str = "fused", *, autocast: bool = False) -> set[int]:
    with (
        Widths() as widths,
        CudaFunctions(),
        attention_kernel(kernel),
        torch.autocast("cpu", torch.bfloat16, enabled=autocast),
    ):
        assert attend(*_heads(width, dtype), _bias().to(dtype)).shape[-1] == width
    return set(widths.seen)


def test_rows_of_heads_are_multiples_of_16_bytes() -> None:
    assert _widths_on_cuda(6, torch.float32) == {8}
    assert _widths_on_cuda(12, torch.float32) == {12}
    assert _widths_on_cuda(12, torch.bfloat16) == {16}
    assert _widths_on_cuda(12, torch.float32, autocast=True) == {16}
    assert _widths_on_cuda(6, torch.float32, "unfused") == {6}


@pytest.mark.parametrize(("dtype", "positions"), [("float32", "learned"), ("bfloat16", "alibi")])
def test_memory_predicted_for_a_gpu_counts_padded_heads(dtype: str, positions: str) -> None:
    """Queries, keys, values and outputs of each of three layers are kept for the backward pass."""
    width, padded = (6, 8) if dtype == "float32" else (12, 16)
    model = small("vanilla", "3@1", context=128, d_model=8 * width, n_heads=8, positions=positions)
    training = training_of(8, dtype=dtype)
    cpu, cuda = (profile_training_step(model, training, device=device).peak_bytes for device in ("cpu", "cuda"))
    itemsize = 4 if dtype == "float32" else 2
    assert cuda - cpu > 3 * 4 * 8 * 128 * 8 * (padded - width) * itemsize


def test_heads_are_not_padded_on_the_cpu() -> None:
    with Widths() as widths, attention_kernel("fused"):
        attend(*_heads(6))
    assert set(widths.seen) == {6}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU: none here, nothing was trained")
@pytest.mark.parametrize("positions", ["learned", "alibi"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("d_head", [6, 12, 300])
def test_a_real_gpu_trains_heads_of_any_width(d_head: int, dtype: str, positions: str) -> None:
    from benchmarks.gpu.memory import cuda_peak

    model = small("vanilla", "1@1", d_model=2 * d_head, positions=positions)
    assert cuda_peak(model, training_of(2, dtype=dtype))  # bytes
