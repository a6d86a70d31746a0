"""The retina as it is defined, under one mask over all keys of all scales: simple, and the reference for chunks."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from msarch.attention import attend, merge_heads, split_heads
from msarch.resample import average_pool
from msarch.retina import Retina, RetinaAttention


def cover_mask(length: int, factors: tuple[int, ...], windows: tuple[int, ...]) -> Tensor:
    """(T, sum T/f), true where query t reads block j of a scale; scales one after another, finest first.

    Token by token, straight from the definition.
    """
    rows = []
    for t in range(length):
        row, upper = [], t + 1
        for s, factor in enumerate(factors):
            lower = 0
            if s + 1 < len(factors):
                coarser = factors[s + 1]
                lower = max(0, upper - windows[s] * factor) // coarser * coarser
            row += [lower <= j * factor < upper for j in range(length // factor)]
            upper = lower
        rows.append(row)
    return torch.tensor(rows)


class MaskedRetinaAttention(RetinaAttention):
    """All queries and all keys at once."""

    def forward(self, x_BTD: Tensor) -> Tensor:
        q, k, v = self.qkv(x_BTD).chunk(3, dim=-1)
        factors, windows = self.cover.factors, self.cover.windows
        k_BMD, v_BMD = (torch.cat([average_pool(part, factor) for factor in factors], dim=1) for part in (k, v))
        q_heads, k_heads, v_heads = (split_heads(part, self.n_heads) for part in (q, k_BMD, v_BMD))
        visible_TM = cover_mask(x_BTD.shape[1], factors, windows)
        out: Tensor = self.out(merge_heads(attend(q_heads, k_heads, v_heads, visible_TM)))
        return out


def masked(model: Retina) -> Retina:
    """The same model with the same weights, masked."""
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, RetinaAttention):
            module.__class__ = MaskedRetinaAttention
    return twin
