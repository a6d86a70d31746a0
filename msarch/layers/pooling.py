"""The ways to shorten a sequence: from N states to M = N // k, one for each complete block of k.

    average      the mean: no parameters, and the best single way on text in Hourglass (table 8)
    conv         a strided convolution of width and stride k, which Subramanian et al. name beside pooling; the
                 "linear" shortening of Hourglass is the same thing
    attention    the mean attends to its own block, then feed-forward (Hourglass, section 2.2)
    query_only   the mean attends to all finer states up to its block's end, then feed-forward: the first layer of the
                 coarser scale pools its queries but not its keys (Funnel-Transformer, section 2.1, made causal)

Where the two scales differ in width, the mean is projected to the coarser one's; a convolution ends in it anyway.

Hourglass is arXiv 2110.13711, Funnel-Transformer 2006.03236, Subramanian et al. 2005.00581. Ours: the norms before
attention and feed-forward, as in every layer here, and that a block is never pooled before it is complete.

Shapes: B batch, N positions at the finer scale, M blocks at the coarser one, k states in a block; D and E the widths of
states at the finer and at the coarser scale.
"""

from __future__ import annotations

from typing import ClassVar, cast

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import AttentionCost, causal_pairs
from msarch.layers.cross_scale_layer import CrossScaleLayer
from msarch.layers.past import Cache, CacheGroup, Past, PlacedKeys, Room, RunningBlock, states_before
from msarch.layers.positions import last_tokens
from msarch.layers.resampling import average_pool
from msarch.layers.widths import JoinedLinear, to_width


class Pool(nn.Module):
    """The mean of each block; the other ways to shorten derive from it.

    Attributes:
        finer, coarser: shortening factors of the two scales; `factor` is k, their ratio.
        fine_width, width: D and E, of the states of the two scales.
        layers: how many layers of the coarser scale's allocation it counts as.
    """

    layers: ClassVar[int] = 0
    drawn_as: ClassVar[str] = "average"

    def __init__(self, config: ModelConfig, finer: int, coarser: int) -> None:
        super().__init__()
        self.finer, self.coarser, self.factor = finer, coarser, coarser // finer
        self.fine_width, self.width = config.width_at(finer), config.width_at(coarser)
        self.add_projections(config, self.fine_width)

    def add_projections(self, config: ModelConfig, fine_width: int) -> None:
        """Add what lies between states that are D = `fine_width` wide and those that are E wide."""
        self.project = to_width(fine_width, self.width)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, M, E)."""
        return self.mean(self.completed(x_BND, past))

    def completed(self, x_BND: Tensor, past: Past | None) -> Tensor:
        """In generation the states of the blocks that the new states complete; otherwise the states as they are."""
        return x_BND if past is None else past.of(self, RunningBlock).complete(x_BND)

    @property
    def kept_numbers(self) -> int:
        """What generation keeps beside keys: the running block."""
        return (self.factor - 1) * self.fine_width

    def new_cache(self, room: Room) -> Cache:
        """For the running block."""
        return RunningBlock(room, self.factor, self.fine_width)

    def mean(self, x_BND: Tensor) -> Tensor:
        """The mean of each block, as wide as the coarser states: (B, N, D) -> (B, M, E)."""
        return self._projected(average_pool(x_BND, self.factor))

    def _projected(self, x_BMD: Tensor) -> Tensor:
        projected: Tensor = self.project(x_BMD)
        return projected.to(x_BMD.dtype)  # autocast would hand on half precision, which the mean does not

    def attention_cost(self, states: int) -> AttentionCost:
        """What it attends to for N = `states`; a running block is not counted among what generation keeps."""
        return AttentionCost(self.width, 0, 0)


class ConvPool(Pool):
    """The k states of a block side by side, projected to one."""

    drawn_as: ClassVar[str] = "conv"

    def add_projections(self, config: ModelConfig, fine_width: int) -> None:
        """One matrix for all k states."""
        self.project = JoinedLinear(fine_width, self.factor, self.width)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, M, E)."""
        x_BND = self.completed(x_BND, past)
        batch, length, width = x_BND.shape
        blocks = length // self.factor
        complete = x_BND[:, : blocks * self.factor]
        return self._projected(complete.reshape(batch, blocks, self.factor * width))


class AttentionPool(Pool):
    """``S(x) + Attention(Q = S(x), K = V = x of the same block)``, then feed-forward; S is the mean."""

    drawn_as: ClassVar[str] = "attention"

    def add_projections(self, config: ModelConfig, fine_width: int) -> None:
        """The mean's, and a layer that reads."""
        super().add_projections(config, fine_width)
        self.reading = CrossScaleLayer(config, self.width, fine_width)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, M, E)."""
        x_BND = self.completed(x_BND, past)
        pooled = self.mean(x_BND)
        batch, blocks, width = pooled.shape
        if blocks == 0:
            return pooled
        members = x_BND[:, : blocks * self.factor].reshape(batch * blocks, self.factor, x_BND.shape[2])
        # Blocks go into the batch dimension, all with the positions of the first block: only distances matter.
        at_first = last_tokens(1, self.coarser, x_BND.device), last_tokens(self.factor, self.finer, x_BND.device)
        read: Tensor = self.reading(pooled.reshape(batch * blocks, 1, width), members, *at_first)
        return read.view(batch, blocks, width)

    def attention_cost(self, states: int) -> AttentionCost:
        """One query for each block, and k keys."""
        return AttentionCost(self.width, states // self.factor * self.factor, 0)


class QueryOnlyPool(Pool):
    """``S(x) + Attention(Q = S(x), K = V = x up to the block's end)``, then feed-forward; S is the mean.

    It is the first layer of the coarser scale, as in its paper, and counted as one.
    """

    layers: ClassVar[int] = 1
    drawn_as: ClassVar[str] = "attend"

    def add_projections(self, config: ModelConfig, fine_width: int) -> None:
        """The mean's, and a layer that reads."""
        super().add_projections(config, fine_width)
        self.reading = CrossScaleLayer(config, self.width, fine_width)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, M, E)."""
        x_BND = x_BND if past is None else past.of(self, PoolCache).block.complete(x_BND)
        pooled = self.mean(x_BND)
        blocks = pooled.shape[1]
        if blocks == 0:
            return pooled
        members = x_BND[:, : blocks * self.factor]  # later states belong to no complete block
        before = states_before(past, self.coarser)
        at_M = last_tokens(blocks, self.coarser, x_BND.device, before)
        at_N = last_tokens(members.shape[1], self.finer, x_BND.device, before * self.factor)
        kept = None if past is None else past.of(self, PoolCache).keys
        read: Tensor = self.reading(pooled, members, at_M, at_N, kept)
        return read

    def attention_cost(self, states: int) -> AttentionCost:
        """Block j reads (j + 1) k states; keys of every finer state in a complete block are kept."""
        blocks = states // self.factor
        return AttentionCost(self.width, self.factor * causal_pairs(blocks), blocks * self.factor)

    def new_cache(self, room: Room) -> Cache:
        """For the running block, and for keys of the states in complete blocks."""
        keys = self.reading.attention.new_cache_of(room, room.tokens // self.coarser * self.factor)
        return PoolCache(RunningBlock(room, self.factor, self.fine_width), keys)


class PoolCache(CacheGroup):
    """The running block, and keys of all states before it."""

    def __init__(self, block: RunningBlock, keys: PlacedKeys) -> None:
        super().__init__([block, keys])
        self.block, self.keys = block, keys


POOLS: dict[str, type[Pool]] = {
    "average": Pool,
    "conv": ConvPool,
    "linear": ConvPool,
    "attention": AttentionPool,
    "query_only": QueryOnlyPool,
}


def make_pool(way: str, config: ModelConfig, finer: int, coarser: int) -> Pool:
    """The way of that name from the scale of factor `finer` to that of `coarser`."""
    return POOLS[way](config, finer, coarser)


def pools_in(modules: nn.ModuleDict) -> list[Pool]:
    """The pools that such a mapping holds, typed."""
    return [cast(Pool, module) for module in modules.values()]
