"""How the tokens of a bottom-up model read its coarse scales: once, all scales at the same time.

According to Hourglass (arXiv 2110.13711, sections 2.3 and 5), Subramanian et al. (2005.00581) combine the scales with
an attention-based aggregation layer that acts as one global up-sampling. The sources do not say what it attends to, so
both readings are built:

    all       every coarse state of every scale whose block is complete, and a null state: T sum(T / f) scores at most
    aligned   the token's own state and the last completed state of each coarse scale, a null state before the first:
              a softmax over scales, T S scores

Coarse states that are wider or narrower than the tokens' are projected to d_model behind their norm.

Shapes: B batch, T tokens, M coarse states of all scales and the null state, S scales, D d_model, E the width of a
coarse scale's states, H heads, K width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import (
    AttentionCost,
    CrossAttention,
    CrossProjections,
    completed_pairs,
    merge_heads,
    split_heads,
)
from msarch.layers.past import Cache, CacheGroup, LastKeys, Past, PlacedKeys, Room, states_before
from msarch.layers.positions import last_tokens, null_first, slopes
from msarch.layers.resampling import CausalUpsample, prepend
from msarch.layers.transformer_layer import FeedForward, Recomputable, residual_dropout
from msarch.layers.widths import to_width


class Aggregation(Recomputable):
    """Every token reads the coarse states of all scales whose blocks are complete at that token."""

    drawn_as = "attend"

    def __init__(self, config: ModelConfig, factors: Sequence[int]) -> None:
        super().__init__()
        d_model = self.width = config.d_model
        self.n_heads = config.n_heads
        self.factors = tuple(factors)
        widths = [config.width_at(factor) for factor in factors]
        self.null = nn.Parameter(torch.zeros(d_model))
        self.query_norm = nn.LayerNorm(d_model)
        self.memory_norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.projections = nn.ModuleList(to_width(width, d_model) for width in widths)
        self.attention = self._attention(config)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model)
        self.drop = residual_dropout(config.dropout)

    def _attention(self, config: ModelConfig) -> nn.Module:
        return CrossAttention(config.d_model, config.n_heads, config.positions, config.rotary_pairs)

    def initialise(self) -> None:
        """The null state starts near zero."""
        nn.init.normal_(self.null, std=0.02)

    def forward(self, fine_BTD: Tensor, coarse: Sequence[Tensor], past: Past | None = None) -> Tensor:
        """(B, T, D) and one (B, T // f, E) for each coarse scale -> (B, T, D)."""
        if past is not None:
            return self._aggregate(fine_BTD, *coarse, past=past)
        return self.run(self._aggregate, fine_BTD, *coarse)

    def _aggregate(self, fine_BTD: Tensor, *coarse: Tensor, past: Past | None = None) -> Tensor:
        fine_BTD = fine_BTD + self.drop(self.attend_to(fine_BTD, coarse, past))
        out: Tensor = fine_BTD + self.drop(self.feed_forward(self.feed_forward_norm(fine_BTD)))
        return out

    def attend_to(self, fine_BTD: Tensor, coarse: Sequence[Tensor], past: Past | None) -> Tensor:
        """The attention output at each token: (B, T, D)."""
        states = torch.cat(self._alike(coarse), dim=1)
        at_T, at_M = self.token_positions(fine_BTD.shape[1], fine_BTD.device, past)
        memory = states if states_before(past, 1) else prepend(self.null, states)
        kept = None if past is None else past.of(self, PlacedKeys)
        found: Tensor = self.attention(self.query_norm(fine_BTD), memory, at_T, at_M, kept)
        return found

    def new_cache(self, room: Room) -> Cache:
        """For the null state and every coarse state."""
        most = 1 + sum(room.tokens // factor for factor in self.factors)
        return PlacedKeys(room, most, self.n_heads, self.width)

    def _alike(self, coarse: Sequence[Tensor]) -> list[Tensor]:
        """The states of each scale, normalised and d_model wide: (B, T // f, D) each."""
        parts = zip(self.memory_norms, self.projections, coarse, strict=True)
        return [project(norm(x_BNE)) for norm, project, x_BNE in parts]

    def token_positions(self, length: int, device: torch.device, past: Past | None = None) -> tuple[Tensor, Tensor]:
        """(T,) and (M,): the position of each token, and the first token that may read each coarse state."""
        before = states_before(past, 1)
        starts = [before // factor for factor in self.factors]
        ends = [
            last_tokens((before + length) // factor - start, factor, device, start)
            for factor, start in zip(self.factors, starts, strict=True)
        ]
        at_M = torch.cat(ends)
        return last_tokens(length, 1, device, before), at_M if before else null_first(at_M)

    def attention_cost(self, length: int) -> AttentionCost:
        """Each token reads the null state and every completed block of every scale; all of their keys are kept."""
        pairs = length + sum(completed_pairs(length, factor) for factor in self.factors)
        return AttentionCost(self.width, pairs, 1 + sum(length // factor for factor in self.factors))


class AlignedAggregation(Aggregation):
    """Every token chooses between its own state and the last completed one of each coarse scale."""

    drawn_as = "choose"

    def __init__(self, config: ModelConfig, factors: Sequence[int]) -> None:
        super().__init__(config, factors)
        self.fine_norm = nn.LayerNorm(config.d_model)
        # From a scale straight to the tokens, not to the next finer scale.
        self.upsample = nn.ModuleList(CausalUpsample(factor) for factor in factors)

    def _attention(self, config: ModelConfig) -> nn.Module:
        return AlignedAttention(config.d_model, config.n_heads, config.positions, config.rotary_pairs)

    def attend_to(self, fine_BTD: Tensor, coarse: Sequence[Tensor], past: Past | None) -> Tensor:
        """The attention output at each token: (B, T, D)."""
        before = states_before(past, 1)
        at_T = last_tokens(fine_BTD.shape[1], 1, fine_BTD.device, before)
        sources = [Source(self.fine_norm(fine_BTD), at_T)]
        kept = [None] * len(self.factors) if past is None else past.of(self, AlignedCache).scales
        for factor, upsample, x_BND, last in zip(self.factors, self.upsample, self._alike(coarse), kept, strict=True):
            at_M = last_tokens(x_BND.shape[1], factor, x_BND.device, before // factor)
            states = x_BND if before else prepend(self.null, x_BND)
            at_M = at_M if before else null_first(at_M)
            sources.append(Source(states, at_M, upsample, last, before % factor))
        found: Tensor = self.attention(self.query_norm(fine_BTD), sources, at_T)
        return found

    def new_cache(self, room: Room) -> Cache:
        """For the last state of each coarse scale."""
        return AlignedCache([LastKeys(room, self.width) for _ in self.factors])

    def attention_cost(self, length: int) -> AttentionCost:
        """Each token reads one key of each scale; only the last one of each coarse scale is kept."""
        return AttentionCost(self.width, length * (1 + len(self.factors)), len(self.factors))


class AlignedCache(CacheGroup):
    """The last state of each coarse scale."""

    def __init__(self, scales: Sequence[LastKeys]) -> None:
        super().__init__(scales)
        self.scales = scales


@dataclass(frozen=True, slots=True)
class Source:
    """States of one scale among which each token reads one.

    Attributes:
        states: (B, M, D).
        at_M: where they stand.
        upsample: brings them to the tokens; None where they are the tokens' own.
        last: what generation keeps of this scale.
        passed: how many tokens of a running block generation has read.
    """

    states: Tensor
    at_M: Tensor
    upsample: nn.Module | None = None
    last: LastKeys | None = None
    passed: int = 0


class AlignedAttention(CrossProjections):
    """Attention in which each query has S keys of its own.

    Keys and values are projected before they are repeated: M coarse states instead of T copies. No fused kernel is
    needed, since there are only S scores for each token.
    """

    def forward(self, x_BTD: Tensor, sources: Sequence[Source], at_T: Tensor) -> Tensor:
        """Queries (B, T, D) at tokens `at_T` -> (B, T, D)."""
        q_BHTK = self.turned_at(split_heads(self.q(x_BTD), self.n_heads), at_T)
        keys, values, distances = [], [], []
        for source in sources:
            k, v = (split_heads(part, self.n_heads) for part in self.kv(source.states).chunk(2, dim=-1))
            k, at_M = self.turned_at(k, source.at_M), source.at_M
            if source.last is not None:
                k, v, at_M = source.last.join(merge_heads(k), merge_heads(v), at_M)
                k, v = (split_heads(x, self.n_heads) for x in (k, v))
            if source.upsample is not None:
                bring = partial(source.upsample, length=len(at_T), passed=source.passed)
                k, v = (split_heads(bring(merge_heads(x)), self.n_heads) for x in (k, v))
                # Positions travel with their states, so distances are to the state that each token really reads.
                at_M = bring(at_M[None, :, None])[0, :, 0]
            keys.append(k)
            values.append(v)
            distances.append(at_T - at_M)
        bias = None
        if self.scheme == "alibi":
            bias = -slopes(self.n_heads, q_BHTK)[:, None, None] * torch.stack(distances, dim=-1)
        out: Tensor = self.out(merge_heads(attend_aligned(q_BHTK, keys, values, bias)))
        return out


def attend_aligned(
    q_BHTK: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], bias_HTS: Tensor | None = None
) -> Tensor:
    """Softmax over S keys of the query's own position: queries, each key and each value (B, H, T, K) -> the same."""
    exact = torch.promote_types(q_BHTK.dtype, torch.float32)  # as fused kernels do: no sum in half precision
    scores = torch.stack([(q_BHTK * k).sum(dim=-1, dtype=exact) for k in keys], dim=-1) / math.sqrt(q_BHTK.shape[-1])
    weights = (scores if bias_HTS is None else scores + bias_HTS).softmax(dim=-1).to(q_BHTK.dtype)
    # One value at a time: stacked, they would be a copy of all S, kept for the backward pass.
    out = values[0] * weights[..., :1]
    for s, v_BHTK in enumerate(values[1:], start=1):
        out = out + v_BHTK * weights[..., s : s + 1]
    return out


AGGREGATIONS: dict[str, type[Aggregation]] = {"all": Aggregation, "aligned": AlignedAggregation}
