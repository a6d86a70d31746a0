"""Retina: one stack whose keys are fine for the near past and pooled for the far past.

The name and the idea (compressing tokens further away in the past) are from Subramanian et al. 2020 (arXiv 2005.00581);
the equations are our proposal. The keys of query t are aligned blocks that cover tokens 0..t exactly, without gaps or
overlaps:

    b_{-1}(t) = t + 1
    b_s(t)    = f_{s+1} floor( max(0, b_{s-1}(t) - w_s f_s) / f_{s+1} )      s = 0 .. S-2;   b_{S-1} = 0
    scale s holds the blocks [j f_s, (j+1) f_s) with b_s(t) <= j f_s < b_{s-1}(t)

Where the coarsest scale has a window too, b_{S-1}(t) = max(0, b_{S-2}(t) - w_{S-1} f_{S-1}), and older tokens are not
read: a single scale is then attention in a sliding window (Longformer, arXiv 2004.05150), the retina's control.

Keys and values are pooled in each layer from that layer's own states, after their projection (the mean of a
projection is the projection of the mean).

It runs in chunks of about 256 queries. The blocks of a scale that the queries of a chunk read are consecutive, so a
chunk's keys are one slice of each scale, joined, and its mask is small: no (T x T) mask or score is ever made.

Shapes: B batch, T tokens, N queries of a chunk, M keys of a chunk, D d_model, H heads, K width of a head, S scales.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import AttentionCost, attend, merge_heads, split_heads, split_qkv
from msarch.layers.past import Past, Room
from msarch.layers.positions import Positions, distance_bias
from msarch.layers.recomputed_copies import RecomputedCopies
from msarch.layers.resampling import average_pool
from msarch.layers.transformer_layer import FeedForwardLayer, Stack, TransformerLayer
from msarch.models.language_model import LanguageModel
from msarch.models.retina_slots import RetinaKeys, Slots

CHUNK = 256


@dataclass(frozen=True)
class Chunk:
    """Queries that run together, the blocks of each scale that any of them reads (coarsest first), and their mask."""

    queries: range
    blocks: list[range]
    mask: Tensor  # (N, M) or (H, N, M), added to the scores: 0 or a bias where a query reads a key, -inf elsewhere


class RetinaPattern:
    """The attention pattern: which blocks of each scale a token reads. All layers share one."""

    def __init__(
        self, factors: Sequence[int], windows: Sequence[int], chunk: int = CHUNK, *, bias_heads: int = 0
    ) -> None:
        """Masks hold ALiBi's bias for `bias_heads` heads; none with 0."""
        self.factors, self.windows, self.bias_heads = tuple(factors), tuple(windows), bias_heads
        # A multiple of the coarsest factor, so that the same pattern repeats from chunk to chunk.
        self.chunk = max(1, chunk // factors[-1]) * factors[-1]
        self._cached: tuple[object, list[Chunk]] = (None, [])
        self._slots: dict[torch.device, Slots] = {}

    def bounds(self, tokens: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """b_{-1}(t) >= b_0(t) >= ... >= b_{S-1}(t) for each t in `tokens`: where each scale's keys begin."""
        bounds = [tokens + 1]
        aligned_to = (*self.factors[1:], self.factors[-1])
        for factor, window, aligned in zip(self.factors, self.windows, aligned_to, strict=False):
            # Rounded down to a whole coarse block: the window holds `window` units at least, never a part of a block.
            bounds.append(aligned * (np.maximum(0, bounds[-1] - window * factor) // aligned))
        return bounds if len(bounds) > len(self.factors) else [*bounds, np.zeros_like(tokens)]

    def keys(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many keys each of `tokens` reads."""
        between = zip(self.factors, pairwise(self.bounds(tokens)), strict=True)
        read = [(stop - start) // factor for factor, (stop, start) in between]
        keys: NDArray[np.int64] = np.stack(read).sum(axis=0)
        return keys

    def blocks(self, queries: range) -> list[range]:
        """The blocks of each scale, coarsest first, that any query reads."""
        # Bounds never fall from one token to the next: the first query reads the oldest block, the last one the newest.
        bounds = self.bounds(np.array([queries[0], queries[-1]]))
        between = zip(self.factors, pairwise(bounds), strict=True)
        return [range(start[0] // factor, stop[1] // factor) for factor, (stop, start) in between][::-1]

    def visible(self, queries: range, blocks: list[range]) -> NDArray[np.bool_]:
        """(N, M), true where a query reads a block; `blocks` of each scale one after another, coarsest first."""
        bounds = self.bounds(np.array(queries))
        masks = []
        for factor, (stop, start), scale in zip(self.factors, pairwise(bounds), blocks[::-1], strict=True):
            token = np.array(scale, dtype=np.int64) * factor  # where each block begins
            masks.append((start[:, None] <= token) & (token < stop[:, None]))
        return np.concatenate(masks[::-1], axis=1)

    def slots(self, device: torch.device) -> Slots:
        """The places of keys in generation."""
        if device not in self._slots:
            self._slots[device] = Slots(self.factors, self.bounds, device)
        return self._slots[device]

    def chunks(self, length: int, like: Tensor) -> list[Chunk]:
        """All tokens in chunks, with masks of the type and on the device of `like`; the last result is kept.

        All layers share these masks. Attention keeps its mask for the backward pass; from a boolean mask each layer
        would make and keep its own float copy.
        """
        key = (length, self.chunk, like.dtype, like.device)
        if self._cached[0] != key:
            # A first call may come from validation in inference mode, whose tensors autograd cannot save later.
            with torch.inference_mode(False):
                self._cached = (key, list(self._chunks(length, like))[::-1])
        return self._cached[1]

    def _chunks(self, length: int, like: Tensor) -> Iterator[Chunk]:
        """From the last chunk to the first, so that an earlier one can reuse the mask of a later one.

        Once all windows are full, an earlier chunk's mask is the later one without its oldest keys. So are ALiBi's
        distances, since all chunks begin at a multiple of the coarsest factor.
        """
        later, later_mask = np.zeros((0, 0), dtype=np.bool_), torch.empty(0)
        for first in reversed(range(0, length, self.chunk)):
            queries = range(first, min(first + self.chunk, length))
            blocks = self.blocks(queries)
            visible = self.visible(queries, blocks)
            oldest = later.shape[1] - visible.shape[1]  # how many more keys the later chunk has
            # A view of the later mask costs no memory, so one mask serves nearly all chunks of a long sequence. GPU
            # kernels need the rows of a mask to start at multiples of eight elements; another offset gets its own mask.
            if oldest >= 0 and oldest % 8 == 0 and np.array_equal(visible, later[:, oldest:]):
                yield Chunk(queries, blocks, later_mask[..., oldest:])
                continue
            later, later_mask = visible, self.mask(queries, blocks, visible, like)
            yield Chunk(queries, blocks, later_mask)

    def mask(self, queries: range, blocks: list[range], visible: NDArray[np.bool_], like: Tensor) -> Tensor:
        """(N, M), or (H, N, M) with a bias for each head, of the type and on the device of `like`."""
        if not self.bias_heads:
            return torch.tensor(np.where(visible, 0.0, -np.inf), dtype=like.dtype, device=like.device)
        at_N = torch.arange(queries.start, queries.stop, device=like.device)
        # The position of a block is its last token, as in `msarch.layers.positions`.
        last = [np.array(scale) * factor + factor - 1 for factor, scale in zip(self.factors, blocks[::-1], strict=True)]
        at_M = torch.tensor(np.concatenate(last[::-1]), device=like.device)
        return distance_bias(at_N, at_M, torch.tensor(visible, device=like.device), self.bias_heads, like)


def cut(keys_BHMK: Tensor, ranges: Sequence[range]) -> list[list[Tensor]]:
    """For each range of keys the views that together make it up."""
    # Ranges that all begin at 0 would be cut into very many pieces: plain slices are cheaper there.
    if all(r.start == 0 for r in ranges):
        return [[keys_BHMK[:, :, : r.stop]] for r in ranges]
    # One split at the edges of all ranges: its backward pass is one concatenation, while each slice's would fill a
    # gradient of full length with zeros.
    edges = sorted({0, keys_BHMK.shape[2]} | {end for r in ranges for end in (r.start, r.stop)})
    parts = torch.split(keys_BHMK, [stop - start for start, stop in pairwise(edges)], dim=2)
    return [[part for start, part in zip(edges, parts, strict=False) if r.start <= start < r.stop] for r in ranges]


class PooledKeys:
    """The keys (or values) of one layer at all scales, coarsest first, from which each chunk joins its own."""

    def __init__(self, scales: Sequence[Tensor], chunks: Sequence[Chunk]) -> None:
        """`scales`: (B, H, T // f, K) for each, coarsest first."""
        self._detached = [scale.detach() for scale in scales]
        self._parts = [cut(keys, [chunk.blocks[s] for chunk in chunks]) for s, keys in enumerate(scales)]

    def join(self, number: int) -> Tensor:
        """All keys that chunk `number` reads, as a copy: (B, H, M, K)."""
        return torch.cat([part for scale in self._parts for part in scale[number]], dim=2)

    def join_again(self, blocks: Sequence[range]) -> Callable[[], Tensor]:
        """A function that makes the same copy without a gradient, and holds only the (detached) scales."""
        scales = self._detached
        return lambda: torch.cat([k[:, :, r.start : r.stop] for k, r in zip(scales, blocks, strict=True)], dim=2)


class RetinaAttention(nn.Module):
    """Attention whose keys and values are pooled more strongly the further back they are.

    Keys are turned (rotary positions) after they are pooled, each by its block's last token.
    """

    def __init__(
        self, d_model: int, pattern: RetinaPattern, positions: Sequence[Positions], copies: RecomputedCopies
    ) -> None:
        """`positions` of the scales, coarsest first."""
        super().__init__()
        self.positions, self.pattern, self.copies = tuple(positions), pattern, copies
        self.n_heads = self.positions[0].n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def new_cache(self, room: Room) -> RetinaKeys:
        """For the most keys that any of so many tokens reads."""
        most = int(self.pattern.keys(np.arange(room.tokens)).max())
        return RetinaKeys(room, most, self.positions, self.out.in_features)

    def forward(self, x_BTD: Tensor, past: Past | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        q, k, v = split_qkv(self.qkv(x_BTD), self.positions[-1])
        if past is not None and past.tokens:
            return self._after_past(q, k, v, past)
        chunks = self.pattern.chunks(x_BTD.shape[1], q)
        turned = self.positions[-1].turned(split_heads(q, self.n_heads))
        queries = torch.split(turned, self.pattern.chunk, dim=2)
        pooled_keys = [at.turned(each) for at, each in zip(self.positions, self._pooled(k), strict=True)]
        pooled_values = self._pooled(v)
        if past is not None:
            layout = self.pattern.slots(q.device).layout(x_BTD.shape[1])
            past.of(self, RetinaKeys).fill(pooled_keys, pooled_values, layout)
        keys, values = PooledKeys(pooled_keys, chunks), PooledKeys(pooled_values, chunks)
        outputs = []
        for number, (chunk, q_BHNK) in enumerate(zip(chunks, queries, strict=True)):
            k_BHMK, v_BHMK = keys.join(number), values.join(number)
            # Autograd keeps how to join these copies again instead of the copies.
            k_again, v_again = keys.join_again(chunk.blocks), values.join_again(chunk.blocks)
            with self.copies.replaced((k_BHMK, k_again), (v_BHMK, v_again)):
                heads = attend(q_BHNK, k_BHMK, v_BHMK, chunk.mask)
            # Projected chunk by chunk: attention keeps its outputs anyway, and the projection needs them too. Joined
            # first, they would be kept twice.
            outputs.append(self.out(merge_heads(heads)))
        return torch.cat(outputs, dim=1)

    def _after_past(self, q_BTD: Tensor, k_BTD: Tensor, v_BTD: Tensor, past: Past) -> Tensor:
        """One token after another, since each changes the keys of the next: (B, T, D) -> (B, T, D)."""
        cache, slots = past.of(self, RetinaKeys), self.pattern.slots(q_BTD.device)
        q, k, v = (split_heads(part, self.n_heads) for part in (q_BTD, k_BTD, v_BTD))
        q, k = (self.positions[-1].turned_after(x, past.tokens, past.room.tokens) for x in (q, k))
        outputs = []
        for number in range(q.shape[2]):
            token, here = past.tokens + number, slice(number, number + 1)
            change = slots.change(token)
            keys, values = cache.advance(k[:, :, here], v[:, :, here], token, change)
            outputs.append(attend(q[:, :, here], keys, values, cache.bias(token, change, q)))
        out: Tensor = self.out(merge_heads(torch.cat(outputs, dim=2)))
        return out

    def _pooled(self, x_BTD: Tensor) -> list[Tensor]:
        """Keys or values of every scale, coarsest first: (B, H, T // f, K) each."""
        return [split_heads(average_pool(x_BTD, at.factor), self.n_heads) for at in self.positions]


class Retina(LanguageModel):
    """One stack; a first window that reaches over the whole context makes it exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        bias_heads = config.n_heads if config.positions == "alibi" else 0
        self.pattern = RetinaPattern(config.retina_factors, config.retina_windows, bias_heads=bias_heads)
        self.copies = RecomputedCopies()
        stage = config.stages[0]
        attending = [self._layer() for _ in range(stage.attention_layers)]
        ff_layers = [FeedForwardLayer(config.d_model, config.dropout) for _ in range(stage.ff_layers)]
        self.add_scale(1, Stack([*attending, *ff_layers]))

    def _layer(self) -> TransformerLayer:
        config = self.config
        positions = [self.positions_at(factor) for factor in reversed(config.retina_factors)]
        attention = RetinaAttention(config.d_model, self.pattern, positions, self.copies)
        return TransformerLayer(config.d_model, attention, config.dropout)

    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T) -> (B, T, D)."""
        with self.copies.hooks():
            states = self.run_scale(1, self.embed(tokens_BT, past), past)
        out: Tensor = self.final_norm(states)
        return out

    def attention_costs(self, length: int) -> list[AttentionCost]:
        """Attention reads the keys of each token in every layer; generation keeps the most that any token reads."""
        keys, layers = self.pattern.keys(np.arange(length)), self.config.stages[0].attention_layers
        return [AttentionCost(self.config.d_model, layers * int(keys.sum()), layers * int(keys.max()))]
