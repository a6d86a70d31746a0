"""Bottom-up: fine layers, pooled upward scale by scale, then one attention over all completed coarse states.

    h^(0) = Layers_pre( LN(E[x]) + P )
    h^(s) = Layers_s( LN(Pool(h^(s-1))) + P^(s) )                         s = 1 .. S-1
    a     = Aggregate( h^(0); h^(1) .. h^(S-1) )                          see `msarch.layers.aggregation`
    logits = LN( Layers_post( a ) ) E^T

From the sources on Subramanian et al. 2020 (arXiv 2005.00581): causal layers interleaved with convolutions or pooling
of q, k and v together (as Funnel-Transformer describes it), one global attention that aggregates all scales (as
Hourglass describes it), fine layers at the end. Ours: average pooling by default, the norms where streams meet, a null
state so that the first tokens have something to attend to, and fine layers before the pooling as well as after it;
`0@1 ... n@1`, with all of them after it, is the literal reading. For `pool` see `msarch.layers.pooling`.

Each scale may have a width of its own: pooling ends in it, and the aggregation brings all to d_model.

Shapes: B batch, T tokens, D d_model.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.config.allocation import Stage
from msarch.layers.aggregation import AGGREGATIONS
from msarch.layers.attention import AttentionCost
from msarch.layers.past import Past
from msarch.layers.pooling import make_pool, pools_in
from msarch.models.language_model import LanguageModel


class BottomUp(LanguageModel):
    """Fine to coarse and back; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        before, *rest = config.stages
        self.coarse = tuple(stage for stage in rest if stage.factor > 1)
        after = rest[-1] if rest else Stage(0, 1)
        up = (before, *self.coarse)
        pools = [make_pool(config.pool, config, finer.factor, coarser.factor) for finer, coarser in pairwise(up)]
        self.add_scale(1, self.new_stack(before))
        for stage, pool in zip(self.coarse, pools, strict=True):
            self.add_scale(stage.factor, self.new_stack(stage, built=pool.layers))
        self.pools = nn.ModuleDict({str(pool.coarser): pool for pool in pools})
        aggregation = AGGREGATIONS[config.aggregation]
        self.aggregation = aggregation(config, [stage.factor for stage in self.coarse]) if self.coarse else None
        self.post = self.new_stack(after)

    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T) -> (B, T, D)."""
        fine = self.run_scale(1, self.embed(tokens_BT, past), past)
        states = [fine]
        for stage in self.coarse:
            states.append(self.run_scale(stage.factor, self.pools[str(stage.factor)](states[-1], past), past))
        if self.aggregation is not None:
            fine = self.aggregation(fine, states[1:], past)
        out: Tensor = self.final_norm(self.post(fine, past))
        return out

    def attention_costs(self, length: int) -> list[AttentionCost]:
        """Each scale attends to its own past; pooling by attention and the aggregation come on top."""
        pools = {pool.coarser: pool for pool in pools_in(self.pools)}
        built = {factor: pool.layers for factor, pool in pools.items()}
        own = [self.stage_cost(stage, length, built=built.get(stage.factor, 0)) for stage in self.config.stages]
        pooled = [pool.attention_cost(length // pool.finer) for pool in pools.values()]
        return own + pooled + ([self.aggregation.attention_cost(length)] if self.aggregation is not None else [])
