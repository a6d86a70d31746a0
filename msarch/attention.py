"""Multi-head attention, and the choice of the kernel that computes it.

Shapes: B batch, N and M positions of queries and keys, D d_model, H heads, K width of a head.

All attention of all variants goes through `attend`, so that one context manager decides the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

# Math is left out: where no fused kernel fits, torch raises instead of silently keeping the scores.
_FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


@contextmanager
def attention_kernel(name: str) -> Iterator[None]:
    """Run attention inside with the "fused" kernels (no scores kept) or the "unfused" one (all kept)."""
    assert name in ("fused", "unfused"), name
    with sdpa_kernel(_FUSED if name == "fused" else [SDPBackend.MATH]):
        yield


def attend(q_BHNK: Tensor, k_BHMK: Tensor, v_BHMK: Tensor, visible_NM: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention, (B, H, N, K).

    `visible_NM` is true where query n may read key m, or 0 there and -inf elsewhere in the type of the queries;
    without it queries and keys are the same positions and the mask is causal. Torch makes the second form of the
    first at each call and keeps it for the backward pass. It is passed with four dimensions: with fewer the CPU
    falls back to unfused.
    """
    if visible_NM is None:
        return scaled_dot_product_attention(q_BHNK, k_BHMK, v_BHMK, is_causal=True)
    return scaled_dot_product_attention(q_BHNK, k_BHMK, v_BHMK, attn_mask=visible_NM[None, None])


def split_heads(x_BND: Tensor, n_heads: int) -> Tensor:
    """(B, N, D) -> (B, H, N, K)."""
    return x_BND.view(*x_BND.shape[:-1], n_heads, x_BND.shape[-1] // n_heads).transpose(1, 2)


def merge_heads(x_BHNK: Tensor) -> Tensor:
    """(B, H, N, K) -> (B, N, D)."""
    return x_BHNK.transpose(1, 2).flatten(-2)


class SelfAttention(nn.Module):
    """Causal self-attention over all earlier positions of the same scale."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        q, k, v = (split_heads(part, self.n_heads) for part in self.qkv(x_BND).chunk(3, dim=-1))
        out: Tensor = self.out(merge_heads(attend(q, k, v)))
        return out


class CrossAttention(nn.Module):
    """Attention of one sequence to another under an explicit mask."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q = nn.Linear(d_model, d_model)
        self.kv = nn.Linear(d_model, 2 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x_BND: Tensor, memory_BMD: Tensor, visible_NM: Tensor) -> Tensor:
        """Queries (B, N, D), keys and values (B, M, D), mask (N, M) -> (B, N, D). Each query sees a key."""
        q = split_heads(self.q(x_BND), self.n_heads)
        k, v = (split_heads(part, self.n_heads) for part in self.kv(memory_BMD).chunk(2, dim=-1))
        out: Tensor = self.out(merge_heads(attend(q, k, v, visible_NM)))
        return out


def causal_pairs(positions: int) -> int:
    """Query-key pairs of one causal self-attention over that many positions."""
    return positions * (positions + 1) // 2


def positions_of(length: int, device: torch.device) -> Tensor:
    """(length,) 0, 1, 2, ..."""
    return torch.arange(length, device=device)
