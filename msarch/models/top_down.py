"""Top-down: the coarsest scale runs first, each finer one is conditioned on its last completed state.

    e^(s)   = LN_s( Pool_{f_s}( E[x] ) )                        every scale straight from the tokens
    c^(S-1) = Layers( e^(S-1) + P^(S-1) )                       coarsest first
    c^(s)   = Layers( Meet(e^(s), c^(s+1)) + P^(s) )            then finer and finer
    logits  = LN( c^(0) ) E^T

    combine: concat   Meet = W [e ; LN(Up(c))], W = [I 0] at the start
             add      Meet = e + LN(Up(c))
    upsampling        repeat, linear or attention: see `msarch.layers.meeting`

The paper (Subramanian et al. 2020, arXiv 2005.00581) names the architecture, its up-sampling side and its "convolutions
or pooling"; the rest is open. Ours: pooling straight from the token embeddings; concatenation and the start of W by
default (trains faster than addition: SampleRNN, which conditions fine tiers on coarse ones in the same
way, adds); the norms where streams meet. For `pool` see `msarch.layers.pooling`; with `query_only` a scale reads the
tokens with their positions, as the finest scale does. Each scale may have a width of its own: pooling ends in it, and W
is as wide as each stream needs. With `add` a projection without counterpart in the formula takes c to e's width.

Shapes: B batch, T tokens, N positions at this scale, M blocks at the coarser one; D and E the widths of their states.
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
from msarch.layers.widths import to_width
from msarch.models.language_model import LanguageModel


class Addition(Meeting):
    """``e + Up(LN(c))``, or ``e + Up(W LN(c))`` where the widths differ or each position reads a part of its own."""

    drawn_as = "add"

    def add_projections(self, width: int, coarse_width: int) -> None:
        """W, where the stream must come out otherwise wide."""
        plain = self.parts == 1
        self.project = to_width(coarse_width, width) if plain else nn.Linear(coarse_width, self.parts * width)

    def meet(self, fine_BND: Tensor, normed_BME: Tensor, past: Past | None) -> Tensor:
        """(B, N, D) and (B, 1 + M, E) -> (B, N, D)."""
        return fine_BND + self.bring_back(self.project(normed_BME), fine_BND.shape[1], past)


class Projection(Meeting):
    """``W [e ; LN(Up(c))]``, with W = [I 0] at the start.

    W is stored as two halves. A norm and a projection act on each state alone, so the coarse half runs on the M coarse
    states before they are brought back, instead of on N copies.
    """

    drawn_as = "concat"

    def add_projections(self, width: int, coarse_width: int) -> None:
        """The halves of W; one bias is enough for both where all positions read alike."""
        self.fine = nn.Linear(width, width)
        self.coarse = nn.Linear(coarse_width, self.parts * width, bias=self.parts > 1)

    def initialise(self) -> None:
        """The identity on the fine stream, nothing from the coarse one."""
        super().initialise()
        nn.init.eye_(self.fine.weight)
        nn.init.zeros_(self.coarse.weight)

    def meet(self, fine_BND: Tensor, normed_BME: Tensor, past: Past | None) -> Tensor:
        """(B, N, D) and (B, 1 + M, E) -> (B, N, D)."""
        coarse = self.coarse(normed_BME)
        out: Tensor = self.fine(fine_BND) + self.bring_back(coarse, fine_BND.shape[1], past)
        return out


MEETINGS: dict[str, type[Meeting]] = {"concat": Projection, "add": Addition}


class TopDown(LanguageModel):
    """Coarse to fine; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        stages = config.stages
        pools = {stage.factor: make_pool(config.pool, config, 1, stage.factor) for stage in stages if stage.factor > 1}
        for stage in stages:
            built = pools[stage.factor].layers if stage.factor > 1 else 0
            self.add_scale(stage.factor, self.new_stack(stage, built=built))
        self.pools = nn.ModuleDict({str(factor): pool for factor, pool in pools.items()})
        self.conditions = nn.ModuleDict(
            {
                str(finer.factor): MEETINGS[config.combine](config, finer.factor, coarser.factor)
                for coarser, finer in pairwise(stages)
            }
        )

    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T) -> (B, T, D)."""
        embedded = self.embed(tokens_BT, past)
        read = self.stream_at(1)(embedded, past) if self.config.pool == "query_only" else embedded
        states: Tensor | None = None
        for stage in self.config.stages:
            scale = str(stage.factor)
            stream = self.stream_at(stage.factor)
            entering = stream.norm(self.pools[scale](read, past) if stage.factor > 1 else embedded)
            if states is not None:
                entering = self.conditions[scale](entering, states, past)
            states = self.stacks[scale](stream.place(entering, past), past)
        out: Tensor = self.final_norm(states)
        return out

    def attention_costs(self, length: int) -> list[AttentionCost]:
        """Each scale attends to its own past; pooling and up-sampling by attention come on top."""
        pools = {pool.coarser: pool for pool in pools_in(self.pools)}
        built = {factor: pool.layers for factor, pool in pools.items()}
        own = [self.stage_cost(stage, length, built=built.get(stage.factor, 0)) for stage in self.config.stages]
        pooled = [pool.attention_cost(length) for pool in pools.values()]
        return own + pooled + [meeting.attention_cost(length // meeting.finer) for meeting in self._meetings()]

    def _meetings(self) -> list[Meeting]:
        return [cast(Meeting, module) for module in self.conditions.values()]
