"""Hourglass: fine layers, a shortened sequence for most of the layers, and back, with a residual around it.

Nawrot et al. 2021 (arXiv 2110.13711), algorithm 1, as a recursion over nested levels f_0 = 1, f_1, ... with
k = f_(l+1) / f_l:

    x^(0)   = LN(E[x]) + P
    x       = Pre_l( x^(l) )
    x^(l+1) = LN( Short_k(x) ) + P^(l+1);   x' = level l + 1 on it, or the innermost layers
    x       = x + Up_k( W_l LN(x') )
    out     = Post_l( x );                 logits = LN( out of level 0 ) E^T

From the paper: the order, the ways to shorten and to up-sample, the residual, any number of pre and post layers. Ours:
positions at each scale, a norm and W where streams meet (the paper adds the repeated state unchanged), and where
blocks begin.

The shift. The paper moves the stream right by k - 1, then pools: its block j is positions (j-1)k + 1 .. jk, read
from jk on, the first one padded with k - 1 zeros. Here block j is positions jk .. (j+1)k - 1, read from
(j+1)k - 1 on, with a learned null state before the first (`CausalUpsample`). Both read a block from its
last member on, the smallest legal shift; on a sequence with k - 1 zeros put before it ours is theirs, position for
position. Only the phase of the blocks differs, and with it which tokens a block holds.

Shapes: B batch, T tokens, N positions at this scale, M = N // k blocks at the coarser one, D d_model.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import causal_pairs
from msarch.layers.cross_scale_layer import CrossScaleLayer
from msarch.layers.pooling import make_pool, pools_in
from msarch.layers.positions import last_tokens, null_first
from msarch.layers.resampling import CausalUpsample, LinearUpsample, prepend
from msarch.models.language_model import LanguageModel


class Rejoin(nn.Module):
    """``x + Up(W LN(x'))``: the coarse stream returns to the fine one that it was made from.

    A norm and a projection act on each state alone, so they run on the M coarse states before these are repeated.
    W starts at full size: scaled down like a residual branch, or as the identity, it learns more slowly.

    With ``upsampling: linear`` W is k D wide and each position reads its own part. With ``attention`` that is U, and
    each position then attends to all coarse states that are complete: U + Attention(Q = U, K = V = x'), then
    feed-forward (the paper's best). The mask is ours, the loosest that is causal.
    """

    def __init__(self, config: ModelConfig, finer: int, coarser: int) -> None:
        super().__init__()
        self.finer, self.coarser = finer, coarser
        factor = coarser // finer
        self.drawn_as = "add, attend" if config.upsampling == "attention" else "add"
        repeat = config.upsampling == "repeat"
        self.null = nn.Parameter(torch.zeros(config.d_model))
        self.norm = nn.LayerNorm(config.d_model)
        self.project = nn.Linear(config.d_model, config.d_model * (1 if repeat else factor))
        self.upsample = CausalUpsample(factor) if repeat else LinearUpsample(factor)
        self.reading = CrossScaleLayer(config) if config.upsampling == "attention" else None

    def initialise(self) -> None:
        """The null state starts near zero."""
        nn.init.normal_(self.null, std=0.02)

    def token_positions(self, length: int, states: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """(N,) and (1 + M,): the token of each fine state, and the first token that may read each coarse one."""
        return last_tokens(length, self.finer, device), null_first(last_tokens(states, self.coarser, device))

    def forward(self, fine_BND: Tensor, coarse_BMD: Tensor) -> Tensor:
        """(B, N, D) and (B, M, D) -> (B, N, D)."""
        length = fine_BND.shape[1]
        coarse = prepend(self.null, coarse_BMD)
        out: Tensor = fine_BND + self.upsample(self.project(self.norm(coarse)), length)
        # Attention needs at least one query.
        if self.reading is not None and length:
            out = self.reading(out, coarse, *self.token_positions(length, coarse_BMD.shape[1], fine_BND.device))
        return out


class Hourglass(LanguageModel):
    """Down to the coarsest scale and back; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.factors = tuple(sorted(config.scales))
        turn = len(self.factors)
        for stage in config.stages[:turn]:
            self.add_scale(stage.factor, self.new_stack(stage.layers, stage.factor))
        self.post = nn.ModuleDict(
            {str(stage.factor): self.new_stack(stage.layers, stage.factor) for stage in config.stages[turn:]}
        )
        self.rejoin = nn.ModuleDict(
            {str(finer): Rejoin(config, finer, coarser) for finer, coarser in pairwise(self.factors)}
        )
        self.shorten = nn.ModuleDict(
            {
                str(finer): make_pool(config.shortening, config, finer, coarser)
                for finer, coarser in pairwise(self.factors)
            }
        )

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        out: Tensor = self.final_norm(self._level(0, self.embed(tokens_BT)))
        return out

    def _level(self, level: int, x_BND: Tensor) -> Tensor:
        """The scale of `factors[level]` and all coarser ones inside it: (B, N, D) -> (B, N, D)."""
        factor = self.factors[level]
        x_BND = self.run_scale(factor, x_BND)
        if level + 1 == len(self.factors):
            return x_BND
        coarse = self._level(level + 1, self.shorten[str(factor)](x_BND))
        out: Tensor = self.post[str(factor)](self.rejoin[str(factor)](x_BND, coarse))
        return out

    def attended_pairs(self, length: int) -> int:
        """Each scale attends to its own past, before and after; attention between scales comes on top."""
        pairs = sum(stage.layers * causal_pairs(length // stage.factor) for stage in self.config.stages)
        for pool in pools_in(self.shorten):
            fine = length // pool.finer
            pairs += pool.attended_pairs(fine)
            if self.config.upsampling == "attention":
                pairs += fine + sum((position + 1) // pool.factor for position in range(fine))
        return pairs

    def cached_states(self, length: int) -> int:
        """Each scale keeps its own states; attention that up-samples keeps keys of the coarse ones and the null.

        The running block that any shortening waits for is not counted: fewer than k states.
        """
        states = sum(stage.layers * (length // stage.factor) for stage in self.config.stages)
        if self.config.upsampling == "attention":
            states += sum(1 + length // factor for factor in self.factors[1:])
        return states
