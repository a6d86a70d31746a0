"""The retina as it is defined, under one mask over all keys of all scales: simple, and the reference for chunks."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from msarch.layers.attention import attend, merge_heads, split_heads
from msarch.layers.past import Past
from msarch.layers.positions import ROTATIONS
from msarch.layers.resampling import average_pool
from msarch.models.retina import Retina, RetinaAttention


def cover_mask(length: int, factors: tuple[int, ...], windows: tuple[int, ...]) -> Tensor:
    """(T, sum T/f), true where query t reads block j of a scale; scales one after another, finest first.

    Token by token, straight from the definition.
    """
    rows = []
    for t in range(length):
        row, upper = [], t + 1
        for s, factor in enumerate(factors):
            lower = 0
            if s < len(windows):
                coarser = factors[min(s + 1, len(factors) - 1)]
                lower = max(0, upper - windows[s] * factor) // coarser * coarser
            row += [lower <= j * factor < upper for j in range(length // factor)]
            upper = lower
        rows.append(row)
    return torch.tensor(rows)


class MaskedRetinaAttention(RetinaAttention):
    """All queries and all keys at once."""

    def forward(self, x_BTD: Tensor, past: Past | None = None) -> Tensor:
        q_BTD, *kv = self.qkv(x_BTD).chunk(3, dim=-1)
        length, factors = x_BTD.shape[1], self.pattern.factors
        pooled = [torch.cat([average_pool(part, factor) for factor in factors], dim=1) for part in kv]
        q, k, v = (split_heads(part, self.n_heads) for part in (q_BTD, *pooled))
        at_T = torch.arange(length)
        at_M = torch.cat([torch.arange(length // factor) * factor + factor - 1 for factor in factors])
        mask = cover_mask(length, factors, self.pattern.windows)
        scheme = self.positions[0].scheme
        if scheme == "rotary":
            pairs = "adjacent" if self.positions[0].rotation == ROTATIONS["adjacent"] else "halves"
            q, k = turned(q, at_T, pairs), turned(k, at_M, pairs)
        if scheme == "alibi":
            heads = torch.arange(1, self.n_heads + 1)
            slopes = 2.0 ** (-8 * heads.double() / self.n_heads)
            bias = -slopes[:, None, None] * (at_T[:, None] - at_M)
            mask = torch.where(mask, bias, -torch.inf).to(q.dtype)
        out: Tensor = self.out(merge_heads(attend(q, k, v, mask)))
        return out


def turned(x_BHNK: Tensor, at_N: Tensor, pairs: str) -> Tensor:
    """Rotary positions as complex numbers: pair i, of K / 2, turned by position x 10000^(-2i / K)."""
    half = x_BHNK.shape[-1] // 2
    real = torch.arange(half) if pairs == "halves" else 2 * torch.arange(half)
    imaginary = real + (half if pairs == "halves" else 1)
    angles = at_N[:, None] * 10_000.0 ** (-torch.arange(half).double() / half)
    rotated = torch.complex(x_BHNK[..., real], x_BHNK[..., imaginary]) * torch.exp(1j * angles)
    out = torch.empty_like(x_BHNK)
    out[..., real], out[..., imaginary] = rotated.real, rotated.imag
    return out


def masked(model: Retina) -> Retina:
    """The same model with the same weights, masked."""
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, RetinaAttention):
            module.__class__ = MaskedRetinaAttention
    return twin
