"""Where a finer stream meets the coarser one: how coarse states come back to the positions that may read them.

    upsampling: repeat      u_i = V_j                      j the last completed block: every position reads it alike
                linear      u_i = V_j[i]                   V is k D wide, a part for each position that reads it, so
                                                           that a position knows how old the state is
                attention   linear, and then each position reads all coarse states complete by then:
                            U + Attention(Q = LN U, K = V = LN x'), and feed-forward

V = W LN(x') with x' the coarse states, a learned null state before the first. All three are those of Hourglass (arXiv
2110.13711, section 2.3; the last is its best). Ours: the norms, and the mask, the loosest that is causal.

Shapes: B batch, N positions at the finer scale, M = N // k blocks at the coarser one, D and E the widths of their
states.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import AttentionCost, completed_pairs
from msarch.layers.cross_scale_layer import CrossScaleLayer
from msarch.layers.positions import last_tokens, null_first
from msarch.layers.resampling import CausalUpsample, LinearUpsample, prepend


class Meeting(nn.Module, ABC):
    """What all ways in which two streams meet have in common.

    Attributes:
        finer, coarser: shortening factors of the two scales; `factor` is k, their ratio.
        width: D, of the finer scale's states, and so of what comes of the meeting.
        parts: how many times D wide the coarse stream is when it is brought back: 1, or k.
    """

    drawn_as = "add"

    def __init__(self, config: ModelConfig, finer: int, coarser: int) -> None:
        super().__init__()
        self.finer, self.coarser, self.factor = finer, coarser, coarser // finer
        repeat = config.upsampling == "repeat"
        self.parts = 1 if repeat else self.factor
        self.width, coarse_width = config.width_at(finer), config.width_at(coarser)
        self.null = nn.Parameter(torch.zeros(coarse_width))
        self.norm = nn.LayerNorm(coarse_width)
        self.add_projections(self.width, coarse_width)
        self.upsample = CausalUpsample(self.factor) if repeat else LinearUpsample(self.factor)
        reads = config.upsampling == "attention"
        self.reading = CrossScaleLayer(config, self.width, coarse_width) if reads else None
        if self.reading is not None:
            self.drawn_as = f"{self.drawn_as}, attend"

    @abstractmethod
    def add_projections(self, width: int, coarse_width: int) -> None:
        """Add the matrices that the streams, D and E wide, pass: the coarse one comes out `parts` times D wide."""

    @abstractmethod
    def meet(self, fine_BND: Tensor, normed_BME: Tensor) -> Tensor:
        """The fine stream (B, N, D) and the normalised coarse one, its null state first (B, 1 + M, E) -> (B, N, D)."""

    def initialise(self) -> None:
        """The null state starts near zero."""
        nn.init.normal_(self.null, std=0.02)

    def forward(self, fine_BND: Tensor, coarse_BME: Tensor) -> Tensor:
        """(B, N, D) and (B, M, E) -> (B, N, D)."""
        coarse = prepend(self.null, coarse_BME)
        out = self.meet(fine_BND, self.norm(coarse))
        # A stream too short for a single state has nobody to read.
        if self.reading is not None and out.shape[1]:
            # A projection leaves half precision under autocast, in which no residual stream is kept.
            out = out.to(self.null.dtype)
            out = self.reading(out, coarse, *self.token_positions(out.shape[1], coarse_BME.shape[1], out.device))
        return out

    def token_positions(self, length: int, states: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """(N,) and (1 + M,): where the fine states stand, and from which token on each coarse one may be read."""
        return last_tokens(length, self.finer, device), null_first(last_tokens(states, self.coarser, device))

    def attention_cost(self, length: int) -> AttentionCost:
        """What reading all coarse states costs for N = `length`: those of the completed blocks, and the null state."""
        if self.reading is None:
            return AttentionCost(self.width, 0, 0)
        pairs = length + completed_pairs(length, self.factor)
        return AttentionCost(self.width, pairs, 1 + length // self.factor)
