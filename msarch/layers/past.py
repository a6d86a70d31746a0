"""What generation keeps of the tokens that it has read: keys and values, running blocks, the last coarse states.

``model.features(tokens, past)`` reads tokens that follow those of earlier calls. Every module passes on new states
alone: none where no block is complete, so coarse layers do not run. What a module needs of older states is in a cache
of its own, which its `new_cache` makes and which lies in the `Past` of one generation.

Buffers have their full size from the beginning, so that a step allocates nothing that grows.

Shapes: B batch, N new states of a scale, M kept states, k states in a block, D width of a state, H heads, K width of a
head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """How much a generation may keep: so many sequences, so many tokens of each; of which type, and where."""

    batch_size: int
    tokens: int
    dtype: torch.dtype
    device: torch.device

    def zeros(self, *shape: int) -> Tensor:
        """(B, *shape)."""
        return torch.zeros(self.batch_size, *shape, dtype=self.dtype, device=self.device)


class Cache(ABC):
    """What one module keeps."""

    @abstractmethod
    def tensors(self) -> Iterator[Tensor]:
        """Its buffers of states, (B, ...) each."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def reorder(self, rows_B: Tensor) -> None:
        """Row i of every buffer becomes what row `rows_B[i]` was."""
        for tensor in self.tensors():
            tensor.copy_(tensor.index_select(0, rows_B))


class KeysAndValues(Cache):
    """Keys and values of at most `most` states."""

    def __init__(self, room: Room, most: int, n_heads: int, width: int) -> None:
        self.most, self.length = most, 0
        self._keys, self._values = (room.zeros(n_heads, most, width // n_heads) for _ in range(2))

    def tensors(self) -> Iterator[Tensor]:
        """Keys, then values: (B, H, most, K) each."""
        yield from (self._keys, self._values)

    def reset(self) -> None:
        """Forget everything."""
        self.length = 0

    def append(self, k_BHNK: Tensor, v_BHNK: Tensor) -> tuple[Tensor, Tensor]:
        """Keep new ones behind the others: (B, H, N, K) -> all that are kept, (B, H, M, K)."""
        first, self.length = self.length, self.length + k_BHNK.shape[2]
        assert self.length <= self.most, (self.length, self.most)
        self._keys[:, :, first : self.length] = k_BHNK
        self._values[:, :, first : self.length] = v_BHNK
        return self._keys[:, :, : self.length], self._values[:, :, : self.length]


class PlacedKeys(KeysAndValues):
    """Keys and values that also know at which tokens they stand."""

    def __init__(self, room: Room, most: int, n_heads: int, width: int) -> None:
        super().__init__(room, most, n_heads, width)
        self._at_M = torch.zeros(most, dtype=torch.int64, device=room.device)

    def append_at(self, k_BHNK: Tensor, v_BHNK: Tensor, at_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep new ones that stand at tokens `at_N`; all that are kept, and (M,) where they stand."""
        first = self.length
        keys, values = self.append(k_BHNK, v_BHNK)
        self._at_M[first : self.length] = at_N
        return keys, values, self._at_M[: self.length]


class RunningBlock(Cache):
    """The states of a block that is not complete yet, k - 1 at most."""

    def __init__(self, room: Room, factor: int, width: int) -> None:
        self.factor, self.length = factor, 0
        self._states = room.zeros(factor - 1, width)

    def tensors(self) -> Iterator[Tensor]:
        """(B, k - 1, D)."""
        yield self._states

    def reset(self) -> None:
        """Forget everything."""
        self.length = 0

    def complete(self, x_BND: Tensor) -> Tensor:
        """The states of all blocks that the new ones complete: (B, N, D) -> (B, blocks * k, D). The rest is kept."""
        total = self.length + x_BND.shape[1]
        if total < self.factor:
            self._states[:, self.length : total] = x_BND
            self.length = total
            return x_BND[:, :0]
        states = torch.cat([self._states[:, : self.length], x_BND], dim=1) if self.length else x_BND
        self.length = total % self.factor
        self._states[:, : self.length] = states[:, total - self.length :]
        return states[:, : total - self.length]


class LastState(Cache):
    """The last state of a scale, or what was made of it: what finer positions read until its next block is complete."""

    def __init__(self, room: Room, width: int) -> None:
        self._state, self._known = room.zeros(1, width), False

    def tensors(self) -> Iterator[Tensor]:
        """(B, 1, D)."""
        yield self._state

    def reset(self) -> None:
        """Forget everything."""
        self._known = False

    def join(self, x_BND: Tensor) -> Tensor:
        """The state kept so far and the new ones, the last of which is kept from now on: (B, N, D) -> (B, 1 + N, D).

        In the first call they begin with the null state, and (B, N, D) come back.
        """
        states = torch.cat([self._state, x_BND], dim=1) if self._known else x_BND
        if x_BND.shape[1]:
            self._state[:] = x_BND[:, -1:]
        self._known = True
        return states


class CacheGroup(Cache):
    """Several caches of one module."""

    def __init__(self, caches: Iterable[Cache]) -> None:
        self._caches = list(caches)

    def tensors(self) -> Iterator[Tensor]:
        """Of all of them."""
        for cache in self._caches:
            yield from cache.tensors()

    def reset(self) -> None:
        """Forget everything."""
        for cache in self._caches:
            cache.reset()


class LastKeys(CacheGroup):
    """Key, value and position of the last state of a scale."""

    def __init__(self, room: Room, width: int) -> None:
        self._key, self._value = LastState(room, width), LastState(room, width)
        super().__init__((self._key, self._value))
        self._at = torch.zeros(1, dtype=torch.int64, device=room.device)

    def join(self, k_BND: Tensor, v_BND: Tensor, at_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `LastState.join`, for all three."""
        keys, values = self._key.join(k_BND), self._value.join(v_BND)
        at = at_N if len(at_N) == keys.shape[1] else torch.cat([self._at, at_N])
        self._at[:] = at[-1:]
        return keys, values, at


@runtime_checkable
class Keeps(Protocol):
    """A module that needs older states when it reads new ones."""

    def new_cache(self, room: Room) -> Cache:
        """An empty cache for that many sequences and tokens."""


@runtime_checkable
class KeepsStates(Protocol):
    """A module that keeps states beside keys and values."""

    @property
    def kept_numbers(self) -> int:
        """How many numbers, of one sequence."""


Kind = TypeVar("Kind", bound=Cache)


class Past:
    """What one generation has read so far.

    Attributes:
        room: how much it may keep.
        tokens: how many tokens of each sequence, before the call that runs.
    """

    def __init__(self, model: nn.Module, room: Room) -> None:
        self.room, self.tokens = room, 0
        self._caches: dict[nn.Module, Cache] = {
            module: module.new_cache(room) for module in model.modules() if isinstance(module, Keeps)
        }

    def of(self, module: nn.Module, kind: type[Kind]) -> Kind:
        """The cache of a module, which is of that kind."""
        cache = self._caches[module]
        assert isinstance(cache, kind), (cache, kind)
        return cache

    def caches(self) -> Iterator[Cache]:
        """Those of all modules."""
        yield from self._caches.values()


def states_before(past: Past | None, factor: int) -> int:
    """How many states a scale has from earlier calls: one for each block that was complete."""
    return 0 if past is None else past.tokens // factor
