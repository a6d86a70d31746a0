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

Each level may have a width of its own: shortening ends in it, and W leads back from it.

Shapes: B batch, T tokens, N positions at this scale, M = N // k blocks at the coarser one; D and E the widths of their
states.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import AttentionCost
from msarch.layers.meeting import Meeting
from msarch.layers.past import Past
from msarch.layers.pooling import make_pool, pools_in
from msarch.models.language_model import LanguageModel


class Rejoin(Meeting):
    """``x + Up(W LN(x'))``: the coarse stream returns to the fine one that it was made from.

    A norm and a projection act on each state alone, so they run on the M coarse states before these are brought back.
    W starts at full size: scaled down like a residual branch, or as the identity, it learns more slowly.
    """

    def add_projections(self, width: int, coarse_width: int) -> None:
        """W."""
        self.project = nn.Linear(coarse_width, self.parts * width)

    def meet(self, fine_BND: Tensor, normed_BME: Tensor, past: Past | None) -> Tensor:
        """(B, N, D) and (B, 1 + M, E) -> (B, N, D)."""
        return fine_BND + self.bring_back(self.project(normed_BME), fine_BND.shape[1], past)


class Hourglass(LanguageModel):
    """Down to the coarsest scale and back; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.factors = tuple(sorted(config.scales))
        turn = len(self.factors)
        for stage in config.stages[:turn]:
            self.add_scale(stage.factor, self.new_stack(stage))
        self.post = nn.ModuleDict({str(stage.factor): self.new_stack(stage) for stage in config.stages[turn:]})
        self.rejoin = nn.ModuleDict(
            {str(finer): Rejoin(config, finer, coarser) for finer, coarser in pairwise(self.factors)}
        )
        self.shorten = nn.ModuleDict(
            {
                str(finer): make_pool(config.shortening, config, finer, coarser)
                for finer, coarser in pairwise(self.factors)
            }
        )

    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T) -> (B, T, D)."""
        out: Tensor = self.final_norm(self._level(0, self.embed(tokens_BT, past), past))
        return out

    def _level(self, level: int, x_BND: Tensor, past: Past | None) -> Tensor:
        """The scale of `factors[level]` and all coarser ones inside it: (B, N, D) -> (B, N, D)."""
        factor = self.factors[level]
        x_BND = self.run_scale(factor, x_BND, past)
        if level + 1 == len(self.factors):
            return x_BND
        coarse = self._level(level + 1, self.shorten[str(factor)](x_BND, past), past)
        out: Tensor = self.post[str(factor)](self.rejoin[str(factor)](x_BND, coarse, past), past)
        return out

    def attention_costs(self, length: int) -> list[AttentionCost]:
        """Each scale attends to its own past, before and after; attention between scales comes on top."""
        own = [self.stage_cost(stage, length) for stage in self.config.stages]
        shortening = [pool.attention_cost(length // pool.finer) for pool in pools_in(self.shorten)]
        return own + shortening + [meeting.attention_cost(length // meeting.finer) for meeting in self._meetings()]

    def _meetings(self) -> list[Meeting]:
        return [cast(Meeting, module) for module in self.rejoin.values()]
