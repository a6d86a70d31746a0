"""Where a finer stream meets the coarser one: how coarse states come back to the positions that may read them.

    upsampling: repeat      u_i = V_j                      j the last completed block: every position reads it alike
                linear      u_i = V_j[i]                   V is k D wide, a part for each position that reads it, so
                                                           that a position knows how old the state is
                attention   linear, and then each position reads all coarse states complete by then:
                            U + Attention(Q = LN U, K = V = LN x'), and feed-forward

V = W LN(x') with x' the coarse states, a learned null state before the first. All three are those of Hourglass (arXiv
2110.13711, section 2.3; the last is its best). Ours: the norms, and the mask, the loosest that is causal.

Shapes: B batch, N positions at the finer scale, M = N // k blocks at the coarser one, D d_model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.cross_scale_layer import CrossScaleLayer
from msarch.layers.positions import last_tokens, null_first
from msarch.layers.resampling import CausalUpsample, LinearUpsample, prepend


class Meeting(nn.Module, ABC):
    """What all ways in which two streams meet have in common.

    Attributes:
        finer, coarser: shortening factors of the two scales; `factor` is k, their ratio.
        parts: how many times D wide the coarse stream is when it is brought back: 1, or k.
    """

    drawn_as = "add"

    def __init__(self, config: ModelConfig, finer: int, coarser: int) -> None:
        super().__init__()
        self.finer, self.coarser, self.factor = finer, coarser, coarser // finer
        repeat = config.upsampling == "repeat"
        self.parts = 1 if repeat else self.factor
        self.null = nn.Parameter(torch.zeros(config.d_model))
        self.norm = nn.LayerNorm(config.d_model)
        self.add_projections(config.d_model)
        self.upsample = CausalUpsample(self.factor) if repeat else LinearUpsample(self.factor)
        self.reading = CrossScaleLayer(config) if config.upsampling == "attention" else None
        if self.reading is not None:
            self.drawn_as = f"{self.drawn_as}, attend"

    @abstractmethod
    def add_projections(self, d_model: int) -> None:
        """Add the matrices that the streams pass."""

    @abstractmethod
    def meet(self, fine_BND: Tensor, normed_BMD: Tensor) -> Tensor:
        """The fine stream (B, N, D) and the normalised coarse one, its null state first (B, 1 + M, D) -> (B, N, D)."""

    def initialise(self) -> None:
        """The null state starts near zero."""
        nn.init.normal_(self.null, std=0.02)

    def forward(self, fine_BND: Tensor, coarse_BMD: Tensor) -> Tensor:
        """(B, N, D) and (B, M, D) -> (B, N, D)."""
        coarse = prepend(self.null, coarse_BMD)
        out = self.meet(fine_BND, self.norm(coarse))
        # A stream too short for a single state has nobody to read.
        if self.reading is not None and out.shape[1]:
            # A projection leaves half precision under autocast, in which no residual stream is kept.
            out = out.to(self.null.dtype)
            out = self.reading(out, coarse, *self.token_positions(out.shape[1], coarse_BMD.shape[1], out.device))
        return out

    def token_positions(self, length: int, states: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """(N,) and (1 + M,): where the fine states stand, and from which token on each coarse one may be read."""
        return last_tokens(length, self.finer, device), null_first(last_tokens(states, self.coarser, device))

    def attended_pairs(self, length: int) -> int:
        """Query-key pairs that it computes for N = `length`: the null state, and every completed block."""
        if self.reading is None:
            return 0
        return length + sum((position + 1) // self.factor for position in range(length))

    def cached_states(self, length: int) -> int:
        """Key-value pairs that generation keeps for it after N = `length`."""
        return 0 if self.reading is None else 1 + length // self.factor
