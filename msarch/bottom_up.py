"""Bottom-up: fine layers, pooled upward scale by scale, then one attention over all completed coarse states.

From the sources on Subramanian et al. 2020 (arXiv 2005.00581): causal layers interleaved with pooling of q, k
and v together (as Funnel-Transformer describes it), one global attention that aggregates all scales (as Hourglass
describes it), fine layers at the end. Ours: average pooling, the norms where streams meet, a null state so that
the first tokens have something to attend to, and fine layers before the pooling as well as after it.

    h^(0) = Blocks_pre( LN(E[x]) + P )
    h^(s) = Blocks_s( LN(Pool(h^(s-1))) + P^(s) )                         s = 1 .. S-1
    M_t   = the states of all s >= 1 whose block is complete at t, and a null state
    a     = h^(0) + MHA( LN h^(0) ; K = V = LN M ),   a = a + FFN(LN a)
    logits = LN( Blocks_post( a ) ) E^T

Shapes: B batch, T tokens, M coarse states of all scales and the null state, D d_model.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from msarch.attention import CrossAttention, causal_pairs
from msarch.block import FeedForward, residual_dropout
from msarch.config import ModelConfig
from msarch.language_model import LanguageModel
from msarch.resample import average_pool, completed, prepend


class Aggregation(nn.Module):
    """Every token reads all coarse states that are complete by then, of all scales at once."""

    drawn_as = "attend"

    def __init__(self, config: ModelConfig, factors: Sequence[int]) -> None:
        super().__init__()
        d_model = config.d_model
        self.factors = tuple(factors)
        self.null = nn.Parameter(torch.zeros(d_model))
        self.query_norm = nn.LayerNorm(d_model)
        self.memory_norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in factors)
        self.attention = CrossAttention(d_model, config.n_heads)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, config.d_ff)
        self.drop = residual_dropout(config.dropout)

    def initialise(self) -> None:
        """The null state starts near zero."""
        nn.init.normal_(self.null, std=0.02)

    def visible(self, length: int, device: torch.device) -> Tensor:
        """(T, M): the null state always, a coarse state once its block is complete."""
        null = torch.ones(length, 1, dtype=torch.bool, device=device)
        return torch.cat([null, *(completed(length, factor, device) for factor in self.factors)], dim=1)

    def forward(self, fine_BTD: Tensor, coarse: Sequence[Tensor]) -> Tensor:
        """(B, T, D) and one (B, T // f, D) for each coarse scale -> (B, T, D)."""
        states = torch.cat([norm(x_BND) for norm, x_BND in zip(self.memory_norms, coarse, strict=True)], dim=1)
        memory_BMD = prepend(self.null, states)
        visible_TM = self.visible(fine_BTD.shape[1], fine_BTD.device)
        fine_BTD = fine_BTD + self.drop(self.attention(self.query_norm(fine_BTD), memory_BMD, visible_TM))
        out: Tensor = fine_BTD + self.drop(self.feed_forward(self.feed_forward_norm(fine_BTD)))
        return out

    def keys(self, length: int) -> int:
        """M, the coarse states of all scales and the null state."""
        return 1 + sum(length // factor for factor in self.factors)


class BottomUp(LanguageModel):
    """Fine to coarse and back; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        before, *rest = config.stages
        self.coarse = tuple(stage for stage in rest if stage.factor > 1)
        self.after = sum(stage.layers for stage in rest if stage.factor == 1)
        up = (before, *self.coarse)
        for stage in up:
            self.add_scale(stage.factor, self.new_stack(stage.layers))
        self.pool_factors = tuple(coarser.factor // finer.factor for finer, coarser in pairwise(up))
        self.aggregation = Aggregation(config, [stage.factor for stage in self.coarse]) if self.coarse else None
        self.post = self.new_stack(self.after)

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        fine = self.run_scale(1, self.embed(tokens_BT))
        states = [fine]
        for stage, factor in zip(self.coarse, self.pool_factors, strict=True):
            states.append(self.run_scale(stage.factor, average_pool(states[-1], factor)))
        if self.aggregation is not None:
            fine = self.aggregation(fine, states[1:])
        out: Tensor = self.final_norm(self.post(fine))
        return out

    def attended_pairs(self, length: int) -> int:
        """Each scale attends to its own past, the aggregation to all completed coarse states."""
        own = sum(stage.layers * causal_pairs(length // stage.factor) for stage in self.config.stages)
        if self.aggregation is None:
            return own
        seen = sum((token + 1) // stage.factor for stage in self.coarse for token in range(length))
        return own + length + seen

    def cached_states(self, length: int) -> int:
        """Each scale keeps its own states; the aggregation keeps keys of all coarse ones."""
        own = sum(stage.layers * (length // stage.factor) for stage in self.config.stages)
        return own + (self.aggregation.keys(length) if self.aggregation is not None else 0)
