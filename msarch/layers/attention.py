"""Multi-head attention, and the choice of the kernel that computes it.

Shapes: B batch, N and M positions of queries and keys, D d_model, H heads, K width of a head.

All attention of all variants goes through `attend`, so that one context manager decides the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends.cuda import math_sdp_enabled
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad, scaled_dot_product_attention

from msarch.layers.past import Cache, KeysAndValues, Past, PlacedKeys, Room
from msarch.layers.positions import ROTATIONS, Positions, distance_bias, visible

# Math is left out: where no fused kernel fits, torch raises instead of silently keeping the scores.
_FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


@contextmanager
def attention_kernel(name: str) -> Iterator[None]:
    """Run attention inside with the "fused" kernels (no scores kept) or the "unfused" one (all kept)."""
    assert name in ("fused", "unfused"), name
    with sdpa_kernel(_FUSED if name == "fused" else [SDPBackend.MATH]):
        yield


def attend(q_BHNK: Tensor, k_BHMK: Tensor, v_BHMK: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention, (B, H, N, K).

    `mask`, (N, M), (H, N, M) or (B, H, N, M), is boolean (true where query n may read key m) or additive: a bias where
    it may, -inf elsewhere, in the type of the queries. Without a mask, queries and keys are the same positions and
    attention is causal, or a single query, the newest one, reads all keys. A boolean mask costs memory: torch turns it
    into an additive one at each call and keeps that for the backward pass.
    """
    attention = attention_on_cuda if q_BHNK.is_cuda else scaled_dot_product_attention
    if mask is None:
        causal = q_BHNK.shape[2] == k_BHMK.shape[2]
        return attention(q_BHNK, k_BHMK, v_BHMK, is_causal=causal)
    # The CPU falls back to the unfused kernel for a mask with fewer than four dimensions.
    four = mask[(None,) * (4 - mask.ndim)]
    return attention(q_BHNK, k_BHMK, v_BHMK, attn_mask=four)


def attention_on_cuda(q_BHNK: Tensor, k_BHMK: Tensor, v_BHMK: Tensor, **options: Any) -> Tensor:
    """Scaled dot-product attention for heads of any width, (B, H, N, K). `options` are torch's, without `scale`.

    CUDA's efficient kernel refuses heads whose rows are not multiples of 16 bytes, and for flash torch pads them. Here
    they are padded for both, with zeros, which add nothing to scores or outputs. Where the unfused kernel is allowed as
    well, torch falls back to that, and nothing is padded.
    """
    width = q_BHNK.shape[-1]
    missing = -width % (16 // attention_dtype(q_BHNK).itemsize)
    if not missing or math_sdp_enabled():
        return scaled_dot_product_attention(q_BHNK, k_BHMK, v_BHMK, **options)
    q, k, v = (pad(x, (0, missing)) for x in (q_BHNK, k_BHMK, v_BHMK))
    return scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(width), **options)[..., :width]


def attention_dtype(q_BHNK: Tensor) -> torch.dtype:
    """The type in which attention runs: under autocast another one than that of the queries."""
    device = q_BHNK.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else q_BHNK.dtype


def split_heads(x_BND: Tensor, n_heads: int) -> Tensor:
    """(B, N, D) -> (B, H, N, K)."""
    return x_BND.view(*x_BND.shape[:-1], n_heads, x_BND.shape[-1] // n_heads).transpose(1, 2)


def merge_heads(x_BHNK: Tensor) -> Tensor:
    """(B, H, N, K) -> (B, N, D)."""
    return x_BHNK.transpose(1, 2).flatten(-2)


def split_qkv(qkv_BND: Tensor, positions: Positions) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of one projection, (B, N, 3 D) -> three of (B, N, D).

    With rotary positions the values are a copy, not a view.
    """
    q, k, v = qkv_BND.chunk(3, dim=-1)
    # Attention keeps its inputs. Turned queries and keys are copies, so a view of the values alone would keep the whole
    # projection alive beside them; with a copy of the values the projection can be freed.
    return q, k, v.clone() if positions.scheme == "rotary" else v


class SelfAttention(nn.Module):
    """Causal self-attention over all earlier positions of the same scale."""

    def __init__(self, d_model: int, n_heads: int, positions: Positions) -> None:
        super().__init__()
        self.n_heads, self.positions = n_heads, positions
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def new_cache(self, room: Room) -> Cache:
        """For the states of this scale in so many tokens."""
        return KeysAndValues(room, room.tokens // self.positions.factor, self.n_heads, self.out.in_features)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        parts = split_qkv(self.qkv(x_BND), self.positions)
        q, k, v = (split_heads(part, self.n_heads) for part in parts)
        if past is not None:
            read: Tensor = self.out(merge_heads(self.read_past(q, k, v, past)))
            return read
        q, k = self.positions.turned(q), self.positions.turned(k)
        out: Tensor = self.out(merge_heads(attend(q, k, v, self.positions.causal_bias(q))))
        return out

    def read_past(self, q_BHNK: Tensor, k_BHNK: Tensor, v_BHNK: Tensor, past: Past) -> Tensor:
        """New states read those kept and themselves, and are kept: three of (B, H, N, K) -> (B, H, N, K)."""
        cache = past.of(self, KeysAndValues)
        before = cache.length
        q, k = (self.positions.turned_after(x, before, cache.most) for x in (q_BHNK, k_BHNK))
        keys, values = cache.append(k, v_BHNK)
        return attend(q, keys, values, self.positions.mask_after(before, q))


class CrossProjections(nn.Module):
    """The matrices of attention from one sequence to another, and how positions enter it."""

    def __init__(
        self, d_model: int, n_heads: int, scheme: str, pairs: str = "halves", memory_width: int | None = None
    ) -> None:
        """`memory_width` is that of the states that are read, where it is not that of the queries."""
        super().__init__()
        self.n_heads, self.scheme, self.rotation = n_heads, scheme, ROTATIONS[pairs]
        self.q = nn.Linear(d_model, d_model)
        self.kv = nn.Linear(memory_width or d_model, 2 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def turned_at(self, x_BHNK: Tensor, at_N: Tensor) -> Tensor:
        """Queries or keys that stand at tokens `at_N`, turned where the scheme is rotary."""
        return self.rotation.at(x_BHNK, at_N) if self.scheme == "rotary" else x_BHNK


class CrossAttention(CrossProjections):
    """Attention from one sequence to another: each query reads the keys that end at or before its own token."""

    def new_cache_of(self, room: Room, most: int) -> PlacedKeys:
        """For so many states that are read. What they are, and whether older ones are kept, the caller knows."""
        return PlacedKeys(room, most, self.n_heads, self.out.in_features)

    def forward(
        self, x_BND: Tensor, memory_BMD: Tensor, at_N: Tensor, at_M: Tensor, kept: PlacedKeys | None = None
    ) -> Tensor:
        """Queries (B, N, D) standing at tokens `at_N`, keys and values of (B, M, memory_width) at `at_M` -> (B, N, D).

        Each query must see a key. Those in `kept` are read too, and the new ones are added to it.
        """
        q = split_heads(self.q(x_BND), self.n_heads)
        k, v = (split_heads(part, self.n_heads) for part in self.kv(memory_BMD).chunk(2, dim=-1))
        q, k = self.turned_at(q, at_N), self.turned_at(k, at_M)
        if kept is not None:
            k, v, at_M = kept.append_at(k, v, at_M)
        mask = visible(at_N, at_M)
        if self.scheme == "alibi":
            mask = distance_bias(at_N, at_M, mask, self.n_heads, q)
        out: Tensor = self.out(merge_heads(attend(q, k, v, mask)))
        return out


@dataclass(frozen=True, slots=True)
class AttentionCost:
    """What one attention, or several alike, cost for one sequence.

    Attributes:
        width: D, of all heads together.
        pairs: query-key pairs that are computed.
        states: states of which generation keeps key and value, 2 D numbers.
    """

    width: int
    pairs: int
    states: int


def causal_pairs(positions: int) -> int:
    """Query-key pairs of one causal self-attention over that many positions."""
    return positions * (positions + 1) // 2


def completed_pairs(positions: int, factor: int) -> int:
    """Query-key pairs where each of so many positions reads every block of `factor` positions completed by then."""
    blocks, rest = divmod(positions, factor)
    return factor * blocks * (blocks - 1) // 2 + blocks * (rest + 1)
