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
tokens with their positions, as the finest scale does.

Shapes: B batch, T tokens, N positions at this scale, M blocks at the coarser one, D d_model.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import causal_pairs
from msarch.layers.meeting import Meeting
from msarch.layers.pooling import make_pool, pools_in
from msarch.models.language_model import LanguageModel


class Addition(Meeting):
    """``e + Up(LN(c))``, or ``e + Up(W LN(c))`` where each position reads a part of its own."""

    drawn_as = "add"

    def add_projections(self, d_model: int) -> None:
        """W, where it is wider than the stream."""
        self.project = nn.Linear(d_model, self.parts * d_model) if self.parts > 1 else nn.Identity()

    def meet(self, fine_BND: Tensor, normed_BMD: Tensor) -> Tensor:
        """(B, N, D) and (B, 1 + M, D) -> (B, N, D)."""
        out: Tensor = fine_BND + self.upsample(self.project(normed_BMD), fine_BND.shape[1])
        return out


class Projection(Meeting):
    """``W [e ; LN(Up(c))]``, with W = [I 0] at the start.

    W is held as its two halves: a norm and a projection act on each state alone, so the coarse half runs
    on M coarse states before they are brought back, not on N copies of them.
    """

    drawn_as = "concat"

    def add_projections(self, d_model: int) -> None:
        """The halves of W; one bias is enough for both where all positions read alike."""
        self.fine = nn.Linear(d_model, d_model)
        self.coarse = nn.Linear(d_model, self.parts * d_model, bias=self.parts > 1)

    def initialise(self) -> None:
        """The identity on the fine stream, nothing from the coarse one."""
        super().initialise()
        nn.init.eye_(self.fine.weight)
        nn.init.zeros_(self.coarse.weight)

    def meet(self, fine_BND: Tensor, normed_BMD: Tensor) -> Tensor:
        """(B, N, D) and (B, 1 + M, D) -> (B, N, D)."""
        coarse = self.coarse(normed_BMD)
        out: Tensor = self.fine(fine_BND) + self.upsample(coarse, fine_BND.shape[1])
        return out


MEETINGS: dict[str, type[Meeting]] = {"concat": Projection, "add": Addition}


class TopDown(LanguageModel):
    """Coarse to fine; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        stages = config.stages
        pools = {stage.factor: make_pool(config.pool, config, 1, stage.factor) for stage in stages if stage.factor > 1}
        for stage in stages:
            taken = pools[stage.factor].layers if stage.factor > 1 else 0
            self.add_scale(stage.factor, self.new_stack(stage.layers - taken, stage.factor))
        self.pools = nn.ModuleDict({str(factor): pool for factor, pool in pools.items()})
        self.conditions = nn.ModuleDict(
            {
                str(finer.factor): MEETINGS[config.combine](config, finer.factor, coarser.factor)
                for coarser, finer in pairwise(stages)
            }
        )

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        embedded = self.embed(tokens_BT)
        read = self.stream_at(1)(embedded) if self.config.pool == "query_only" else embedded
        states: Tensor | None = None
        for stage in self.config.stages:
            scale = str(stage.factor)
            stream = self.stream_at(stage.factor)
            entering = stream.norm(self.pools[scale](read) if stage.factor > 1 else embedded)
            if states is not None:
                entering = self.conditions[scale](entering, states)
            states = self.stacks[scale](stream.place(entering))
        out: Tensor = self.final_norm(states)
        return out

    def attended_pairs(self, length: int) -> int:
        """Each scale attends to its own past; pooling and up-sampling by attention come on top."""
        own = sum(self.layers_at(f) * causal_pairs(length // f) for f in self.config.scales)
        back = sum(meeting.attended_pairs(length // meeting.finer) for meeting in self._meetings())
        return own + back + sum(pool.attended_pairs(length) for pool in pools_in(self.pools))

    def cached_states(self, length: int) -> int:
        """Each scale keeps its own states, pooling and up-sampling what they read again."""
        own = sum(self.layers_at(f) * (length // f) for f in self.config.scales)
        back = sum(meeting.cached_states(length // meeting.finer) for meeting in self._meetings())
        return own + back + sum(pool.cached_states(length) for pool in pools_in(self.pools))

    def _meetings(self) -> list[Meeting]:
        return [cast(Meeting, module) for module in self.conditions.values()]
