"""What a retina keeps in generation: which place of its cache holds which block, and how each token changes that.

A new token's key comes in. Keys that leave the window of their scale become one key of the next scale, or are
forgotten. Attention asks for no order, so a key stays in its place until another needs that place: the key of a new
block takes the place of its first member, the last keys fill the places of the others, and those in use are always the
first ones. So the cache has room for no more keys than a token ever reads.

Which places change follows from the pattern alone, not from the text. It is worked out once for all layers and
sequences.

Shapes: B batch, H heads, M keys in use, r blocks that become one, J such blocks, K width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msarch.layers.past import Cache, Room
from msarch.layers.positions import Positions, distance_bias, last_tokens

Bounds = Callable[[NDArray[np.int64]], list[NDArray[np.int64]]]
"""Where each scale's keys begin, for each of some tokens: `RetinaPattern.bounds`."""


@dataclass(frozen=True, slots=True)
class Merge:
    """J times r blocks of the scale of factor `finer` become J blocks of the next one: the members' places, (J, r)."""

    finer: int
    places: Tensor


@dataclass(frozen=True, slots=True)
class Change:
    """What one token changes, in this order.

    Attributes:
        merges: from the finest scale on. A new block's place is that of its first member.
        moved_from, moved_to: keys that fill the places of others.
        new: the place of the token's own key.
        in_use: how many places are in use afterwards.
    """

    merges: tuple[Merge, ...]
    moved_from: Tensor
    moved_to: Tensor
    new: int
    in_use: int


class Slots:
    """The places of one pattern's blocks. A block is its factor and its number."""

    def __init__(self, factors: Sequence[int], bounds: Bounds, device: torch.device) -> None:
        self._factors, self._bounds, self._device = tuple(factors), bounds, device
        self._places: dict[tuple[int, int], int] = {}
        self._layouts: dict[int, Tensor] = {}
        self._changes: list[Change] = []

    def change(self, token: int) -> Change:
        """What token number `token` changes."""
        if token >= len(self._changes):
            self._work_out(token + 1)
        return self._changes[token]

    def layout(self, tokens: int) -> Tensor:
        """(M,) int64: which key is in each place after so many tokens.

        Keys are numbered as a retina pools them from all tokens: scale after scale, the coarsest first.
        """
        if tokens not in self._layouts:
            again = Slots(self._factors, self._bounds, self._device)
            again._work_out(tokens)
            self._layouts = {tokens: again._numbers(tokens)}  # every layer asks for the same one
        return self._layouts[tokens]

    def _numbers(self, tokens: int) -> Tensor:
        coarsest_first = self._factors[::-1]
        counts = np.cumsum([0, *(tokens // factor for factor in coarsest_first)])
        first = dict(zip(coarsest_first, counts.tolist(), strict=False))
        blocks = sorted(self._places, key=self._places.__getitem__)
        return self._tensor([first[factor] + number for factor, number in blocks])

    def _work_out(self, tokens: int) -> None:
        known = len(self._changes)
        # Before the first token all bounds are 0.
        bounds = np.stack(self._bounds(np.arange(max(known - 1, 0), tokens)))
        bounds = bounds if known else np.concatenate([np.zeros_like(bounds[:, :1]), bounds], axis=1)
        for before, after in pairwise(bounds.T.tolist()):
            self._changes.append(self._next(len(self._changes), before[1:], after[1:]))

    def _next(self, token: int, before: list[int], after: list[int]) -> Change:
        """The change from one token's bounds to the next one's."""
        free: list[int] = []
        merges = []
        for (finer, coarser), start, stop in zip(pairwise(self._factors), before, after, strict=False):
            if stop > start:
                merges.append(self._merge(finer, coarser, range(start // coarser, stop // coarser), free))
        coarsest = self._factors[-1]
        free += [self._places.pop((coarsest, j)) for j in range(before[-1] // coarsest, after[-1] // coarsest)]
        return self._fill(token, tuple(merges), sorted(free))

    def _merge(self, finer: int, coarser: int, blocks: range, free: list[int]) -> Merge:
        ratio = coarser // finer
        groups = []
        for block in blocks:
            members = [self._places.pop((finer, j)) for j in range(block * ratio, (block + 1) * ratio)]
            self._places[coarser, block] = members[0]
            free += members[1:]
            groups.append(members)
        return Merge(finer, self._tensor(groups))

    def _fill(self, token: int, merges: tuple[Merge, ...], free: list[int]) -> Change:
        """Give the token's key a place, and the last keys the places that are still free."""
        new, *rest = free or [len(self._places)]
        self._places[1, token] = new
        in_use = len(self._places)
        last = {place: block for block, place in self._places.items() if place >= in_use} if rest else {}
        moves = list(zip(last, [place for place in rest if place < in_use], strict=True))
        for source, target in moves:
            self._places[last[source]] = target
        return Change(merges, self._tensor([s for s, _ in moves]), self._tensor([t for _, t in moves]), new, in_use)

    def _tensor(self, places: Sequence[object]) -> Tensor:
        return torch.tensor(places, dtype=torch.int64, device=self._device)


class RetinaKeys(Cache):
    """Keys and values of the blocks that the newest token reads."""

    def __init__(self, room: Room, most: int, positions: Sequence[Positions], width: int) -> None:
        """`positions` of the scales, coarsest first."""
        self._positions = {at.factor: at for at in positions}
        self.n_heads = positions[0].n_heads
        self._keys, self._values = (room.zeros(self.n_heads, most, width // self.n_heads) for _ in range(2))
        self._at_M = torch.zeros(most, dtype=torch.int64, device=room.device)

    def tensors(self) -> Iterator[Tensor]:
        """Keys, then values: (B, H, most, K) each."""
        yield from (self._keys, self._values)

    def reset(self) -> None:
        """Nothing to do: the first tokens fill it anew."""

    def fill(self, keys: Sequence[Tensor], values: Sequence[Tensor], layout: Tensor) -> None:
        """Keep of all keys and values, (B, H, T // f, K) for each scale, coarsest first, those in the layout."""
        in_use = len(layout)
        self._keys[:, :, :in_use] = torch.cat(list(keys), dim=2)[:, :, layout]
        self._values[:, :, :in_use] = torch.cat(list(values), dim=2)[:, :, layout]
        ends = [last_tokens(k.shape[2], factor, k.device) for k, factor in zip(keys, self._positions, strict=True)]
        self._at_M[:in_use] = torch.cat(ends)[layout]

    def advance(self, k_BH1K: Tensor, v_BH1K: Tensor, token: int, change: Change) -> tuple[Tensor, Tensor]:
        """Add the key of one token; all that are kept then, (B, H, M, K) each."""
        for merge in change.merges:
            self._merge(merge)
        if len(change.moved_to):
            for buffer in (self._keys, self._values):
                buffer[:, :, change.moved_to] = buffer[:, :, change.moved_from]
            self._at_M[change.moved_to] = self._at_M[change.moved_from]
        self._keys[:, :, change.new] = k_BH1K[:, :, 0]
        self._values[:, :, change.new] = v_BH1K[:, :, 0]
        self._at_M[change.new] = token
        return self._keys[:, :, : change.in_use], self._values[:, :, : change.in_use]

    def bias(self, token: int, change: Change, like: Tensor) -> Tensor | None:
        """(H, 1, M) ALiBi's for the query of that token; None where keys differ in nothing but what they say."""
        if next(iter(self._positions.values())).scheme != "alibi":
            return None
        at_M = self._at_M[: change.in_use]
        at_N = torch.full_like(at_M[:1], token)
        return distance_bias(at_N, at_M, torch.ones_like(at_M, dtype=torch.bool), self.n_heads, like)

    def _merge(self, merge: Merge) -> None:
        """The mean of each group; keys are first turned from their own last token to that of the group."""
        groups, ratio = merge.places.shape
        target = merge.places[:, 0]
        distances = torch.arange(ratio - 1, -1, -1, device=target.device).repeat(groups) * merge.finer
        for buffer in (self._keys, self._values):
            members = buffer[:, :, merge.places.flatten()]
            if buffer is self._keys:
                members = self._positions[merge.finer].turned_by(members, distances)
            buffer[:, :, target] = members.unflatten(2, (groups, ratio)).mean(dim=3)
        self._at_M[target] = self._at_M[merge.places[:, -1]]
