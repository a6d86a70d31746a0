"""The two losses, over several chunks and under autocast."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from msarch.training.loss import chunk_rows, chunked_loss, full_loss


def losses(dtype: torch.dtype, scale: float = 1.0) -> list[tuple[Tensor, ...]]:
    torch.manual_seed(0)
    features, weight = torch.randn(3, 100, 8, dtype=dtype), torch.randn(9_000, 8, dtype=dtype)
    targets = torch.randint(9_000, (3, 100))
    results = []
    for loss_of in (full_loss, chunked_loss):
        states, readout = features.clone().requires_grad_(), weight.clone().requires_grad_()
        loss = loss_of(states, readout, targets)
        (scale * loss).backward()
        results.append((loss.detach(), *(leaf.grad for leaf in (states, readout) if leaf.grad is not None)))
    return results


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_several_chunks_with_a_short_last_one_equal_the_whole(scale: float) -> None:
    assert chunk_rows(9_000) == 128
    for full, chunked in zip(*losses(torch.float64, scale), strict=True):
        torch.testing.assert_close(full, chunked, rtol=1e-12, atol=1e-12)


def test_under_autocast_both_compute_in_bfloat16_and_sum_in_float32() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        results = losses(torch.float32)
    for full, chunked in zip(*results, strict=True):
        assert full.dtype == chunked.dtype == torch.float32
        torch.testing.assert_close(full, chunked, rtol=2e-2, atol=1e-3)


def test_without_gradients_nothing_is_kept() -> None:
    with torch.no_grad():
        loss = chunked_loss(torch.randn(1, 200, 8), torch.randn(9_000, 8), torch.randint(9_000, (1, 200)))
    assert loss.ndim == 0 and loss.grad_fn is None
