"""Top-down: the coarsest scale runs first, each finer one is conditioned on its last completed state.

The paper (Subramanian et al. 2020, arXiv 2005.00581) names the architecture and its up-sampling side; what
it leaves open is our proposal: average pooling straight from the token embeddings (parameter-free, and better
than linear pooling on text in Hourglass, table 8), concatenation with a projection that starts as the identity
on the fine stream, and the norms where streams meet.

    e^(s)   = LN_s( Pool_{f_s}( E[x] ) )                        every scale straight from the tokens
    c^(S-1) = Blocks( e^(S-1) + P^(S-1) )                       coarsest first
    c^(s)   = Blocks( W_s [e^(s) ; LN(Up(c^(s+1)))] + P^(s) )   then finer and finer
    logits  = LN( c^(0) ) E^T

Shapes: B batch, T tokens, N positions at this scale, M blocks at the coarser one, D d_model.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from msarch.attention import causal_pairs
from msarch.config import ModelConfig
from msarch.language_model import LanguageModel
from msarch.resample import CausalUpsample, average_pool, prepend


class Condition(nn.Module):
    """``W [e ; LN(Up(c))]``, with W = [I 0] at the start.

    W is held as its two halves: a norm and a projection act on each state alone, so the coarse half runs
    on M coarse states before they are repeated, not on N copies of them.
    """

    drawn_as = "concat"

    def __init__(self, d_model: int, factor: int) -> None:
        super().__init__()
        self.null = nn.Parameter(torch.zeros(d_model))
        self.norm = nn.LayerNorm(d_model)
        self.fine = nn.Linear(d_model, d_model)
        self.coarse = nn.Linear(d_model, d_model, bias=False)
        self.upsample = CausalUpsample(factor)

    def initialise(self) -> None:
        """The identity on the fine stream, nothing from the coarse one."""
        nn.init.normal_(self.null, std=0.02)
        nn.init.eye_(self.fine.weight)
        nn.init.zeros_(self.coarse.weight)

    def forward(self, fine_BND: Tensor, coarse_BMD: Tensor) -> Tensor:
        """(B, N, D) and (B, M, D) -> (B, N, D)."""
        coarse = self.coarse(self.norm(prepend(self.null, coarse_BMD)))
        out: Tensor = self.fine(fine_BND) + self.upsample(coarse, fine_BND.shape[1])
        return out


class TopDown(LanguageModel):
    """Coarse to fine; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        stages = config.stages
        for stage in stages:
            self.add_scale(stage.factor, self.new_stack(stage.layers))
        self.conditions = nn.ModuleDict(
            {
                str(finer.factor): Condition(config.d_model, coarser.factor // finer.factor)
                for coarser, finer in pairwise(stages)
            }
        )

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        embedded = self.embed(tokens_BT)
        states: Tensor | None = None
        for stage in self.config.stages:
            scale = str(stage.factor)
            stream = self.stream_at(stage.factor)
            entering = stream.norm(average_pool(embedded, stage.factor))
            if states is not None:
                entering = self.conditions[scale](entering, states)
            states = self.stacks[scale](stream.place(entering))
        out: Tensor = self.final_norm(states)
        return out

    def attended_pairs(self, length: int) -> int:
        """Each scale attends to its own past."""
        return sum(stage.layers * causal_pairs(length // stage.factor) for stage in self.config.stages)

    def cached_states(self, length: int) -> int:
        """Each scale keeps its own states."""
        return sum(stage.layers * (length // stage.factor) for stage in self.config.stages)
