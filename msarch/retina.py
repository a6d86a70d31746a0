"""Retina: one stack whose keys are fine for the near past and pooled for the far past.

The name and the idea (compressing tokens further away in the past) are those of Subramanian et al. 2020 (arXiv
2005.00581); the equations are our proposal. The keys of query t are an exact cover of tokens 0..t, without
gaps or overlaps, by aligned blocks:

    b_{-1}(t) = t + 1
    b_s(t)    = f_{s+1} floor( max(0, b_{s-1}(t) - w_s f_s) / f_{s+1} )      s = 0 .. S-2;   b_{S-1} = 0
    scale s holds the blocks [j f_s, (j+1) f_s) with b_s(t) <= j f_s < b_{s-1}(t)

Keys and values are pooled in each layer from that layer's own states, after their projection (the mean of a
projection is the projection of the mean). This is the masked form: exact and simple, with a (T x sum T/f) mask.

Shapes: B batch, T tokens, M keys of all scales, D d_model.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from msarch.attention import attend, merge_heads, positions_of, split_heads
from msarch.block import Block, Stack
from msarch.config import ModelConfig
from msarch.language_model import LanguageModel
from msarch.resample import average_pool


def cover_bounds(tokens: Tensor, factors: Sequence[int], windows: Sequence[int]) -> list[Tensor]:
    """b_{-1}(t) >= b_0(t) >= ... >= b_{S-1}(t) = 0 for each t in `tokens`: where each scale's keys begin."""
    bounds = [tokens + 1]
    for (finer, coarser), window in zip(pairwise(factors), windows, strict=True):
        bounds.append(coarser * ((bounds[-1] - window * finer).clamp(min=0) // coarser))
    return [*bounds, torch.zeros_like(tokens)]


def cover(length: int, factors: Sequence[int], windows: Sequence[int], device: torch.device) -> Tensor:
    """(T, M), true where query t reads block j of scale s; scales stand one after another, finest first."""
    bounds = cover_bounds(positions_of(length, device), factors, windows)
    masks = []
    for scale, factor in enumerate(factors):
        start = positions_of(length // factor, device) * factor
        masks.append((bounds[scale + 1][:, None] <= start) & (start < bounds[scale][:, None]))
    return torch.cat(masks, dim=1)


class RetinaAttention(nn.Module):
    """Attention whose keys and values are pooled more the further away they are."""

    def __init__(self, d_model: int, n_heads: int, factors: Sequence[int], windows: Sequence[int]) -> None:
        super().__init__()
        self.n_heads, self.factors, self.windows = n_heads, tuple(factors), tuple(windows)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def visible(self, length: int, device: torch.device) -> Tensor:
        """(T, M), see `cover`."""
        return cover(length, self.factors, self.windows, device)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        q, k, v = self.qkv(x_BTD).chunk(3, dim=-1)
        k_BMD, v_BMD = (torch.cat([average_pool(part, factor) for factor in self.factors], dim=1) for part in (k, v))
        q_heads, k_heads, v_heads = (split_heads(part, self.n_heads) for part in (q, k_BMD, v_BMD))
        visible_TM = self.visible(x_BTD.shape[1], x_BTD.device)
        out: Tensor = self.out(merge_heads(attend(q_heads, k_heads, v_heads, visible_TM)))
        return out


class Retina(LanguageModel):
    """One stack; a first window that reaches over the whole context makes it exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.add_scale(1, Stack([self._block() for _ in range(config.n_layers)]))

    def _block(self) -> Block:
        config = self.config
        attention = RetinaAttention(config.d_model, config.n_heads, config.retina_factors, config.retina_windows)
        return Block(config.d_model, config.d_ff, attention, config.dropout)

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        out: Tensor = self.final_norm(self.run_scale(1, self.embed(tokens_BT)))
        return out

    def attended_pairs(self, length: int) -> int:
        """Every layer attends to the cover of each token's past."""
        return self.config.n_layers * sum(self._keys(token) for token in range(length))

    def cached_states(self, length: int) -> int:
        """The largest cover that any token up to there has, in every layer."""
        return self.config.n_layers * max(self._keys(token) for token in range(length))

    def _keys(self, token: int) -> int:
        factors, bound, keys = self.config.retina_factors, token + 1, 0
        for (finer, coarser), window in zip(pairwise(factors), self.config.retina_windows, strict=True):
            lower = coarser * (max(0, bound - window * finer) // coarser)
            keys, bound = keys + (bound - lower) // finer, lower
        return keys + bound // factors[-1]
