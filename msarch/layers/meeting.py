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
from msarch.layers.past import CacheGroup, LastState, Past, PlacedKeys, Room, states_before
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
    def meet(self, fine_BND: Tensor, normed_BME: Tensor, past: Past | None) -> Tensor:
        """The fine stream (B, N, D) and the normalised coarse one, its null state first (B, 1 + M, E) -> (B, N, D)."""

    def bring_back(self, projected_BMW: Tensor, length: int, past: Past | None) -> Tensor:
        """The coarse stream, `parts` times D wide, at the positions that may read it: (B, 1 + M, W) -> (B, N, D)."""
        if past is None:
            at_fine: Tensor = self.upsample(projected_BMW, length)
        else:
            states = past.of(self, MeetingCache).last.join(projected_BMW)
            at_fine = self.upsample(states, length, states_before(past, self.finer) % self.factor)
        return at_fine

    def initialise(self) -> None:
        """The null state starts near zero."""
        nn.init.normal_(self.null, std=0.02)

    def forward(self, fine_BND: Tensor, coarse_BME: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) and (B, M, E) -> (B, N, D)."""
        if past is not None and not fine_BND.shape[1]:
            return fine_BND
        begins = states_before(past, self.finer) == 0
        coarse = prepend(self.null, coarse_BME) if begins else coarse_BME
        out = self.meet(fine_BND, self.norm(coarse), past)
        # A stream too short for a single state has nobody to read.
        if self.reading is not None and out.shape[1]:
            # A projection leaves half precision under autocast, in which no residual stream is kept.
            out = out.to(self.null.dtype)
            kept = None if past is None else past.of(self, MeetingCache).keys
            positions = self.token_positions(out.shape[1], coarse_BME.shape[1], out.device, past)
            out = self.reading(out, coarse, *positions, kept)
        return out

    def token_positions(
        self, length: int, states: int, device: torch.device, past: Past | None = None
    ) -> tuple[Tensor, Tensor]:
        """(N,) and (1 + M,): where the fine states stand, and from which token on each coarse one may be read."""
        before = states_before(past, self.finer)
        at_M = last_tokens(states, self.coarser, device, states_before(past, self.coarser))
        return last_tokens(length, self.finer, device, before), at_M if before else null_first(at_M)

    @property
    def kept_numbers(self) -> int:
        """What generation keeps beside keys: the last coarse state as it is brought back."""
        return self.parts * self.width

    def new_cache(self, room: Room) -> MeetingCache:
        """For the coarse states in so many tokens."""
        keys = None
        if self.reading is not None:
            keys = self.reading.attention.new_cache_of(room, 1 + room.tokens // self.coarser)
        return MeetingCache(LastState(room, self.kept_numbers), keys)

    def attention_cost(self, length: int) -> AttentionCost:
        """What reading all coarse states costs for N = `length`: those of the completed blocks, and the null state."""
        if self.reading is None:
            return AttentionCost(self.width, 0, 0)
        pairs = length + completed_pairs(length, self.factor)
        return AttentionCost(self.width, pairs, 1 + length // self.factor)


class MeetingCache(CacheGroup):
    """The last coarse state, projected, and keys of all of them where they are read by attention."""

    def __init__(self, last: LastState, keys: PlacedKeys | None) -> None:
        super().__init__([last] if keys is None else [last, keys])
        self.last, self.keys = last, keys
