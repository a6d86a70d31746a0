"""What generation keeps of chosen states, of which each sequence of a batch may have another number.

Shapes: B batch, G new chosen states, as many as the sequence with most of them has; M kept ones, H heads, K width of a
head. Where a sequence has fewer than G, the others are repetitions, which are neither kept nor read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from msarch.layers.past import Cache, Room


@dataclass(frozen=True, slots=True)
class NewWords:
    """The states chosen in one call.

    Attributes:
        at_BG: the token that each stands at.
        rows, columns: where in (B, G) the ones are that are no repetition.
        numbers: how many of their sequence were chosen before each of those.
        reads_BGM: which of the kept ones each may read; its own is among them.
        kept_at_BM: the tokens that the kept ones stand at.
    """

    at_BG: Tensor
    rows: Tensor
    columns: Tensor
    numbers: Tensor
    reads_BGM: Tensor
    kept_at_BM: Tensor


class Words(Cache):
    """How many states of each sequence were chosen, where, and whether its last byte was spacelike."""

    def __init__(self, room: Room, most: int) -> None:
        batch, device = room.batch_size, room.device
        self.count_B = torch.zeros(batch, dtype=torch.int64, device=device)
        self._at_BM = torch.zeros(batch, most, dtype=torch.int64, device=device)
        self._spacelike_B1 = torch.zeros(batch, 1, dtype=torch.bool, device=device)

    def tensors(self) -> Iterator[Tensor]:
        """Counts, places and the last byte."""
        yield from (self.count_B, self._at_BM, self._spacelike_B1)

    def reset(self) -> None:
        """Forget everything."""
        self.count_B.zero_()
        self._spacelike_B1.zero_()

    def last_spacelike(self, newest_B1: Tensor) -> Tensor:
        """(B, 1) whether the last byte so far was spacelike; from now on that is `newest_B1`."""
        last_B1 = self._spacelike_B1.clone()
        self._spacelike_B1.copy_(newest_B1)
        return last_B1

    def add(self, at_BG: Tensor, new_B: Tensor) -> NewWords:
        """Count the first `new_B` states of each sequence, which stand at these tokens."""
        numbers_G = torch.arange(at_BG.shape[1], device=at_BG.device)
        numbers_BG = self.count_B[:, None] + numbers_G
        rows, columns = (numbers_G < new_B[:, None]).nonzero(as_tuple=True)
        numbers = numbers_BG[rows, columns]
        self._at_BM[rows, numbers] = at_BG[rows, columns]
        self.count_B += new_B
        kept = int(self.count_B.max())
        # A repetition reads what the last state reads: it must read something, or its numbers are no numbers.
        last_BG = torch.minimum(numbers_BG, self.count_B[:, None] - 1)
        reads_BGM = torch.arange(kept, device=at_BG.device) <= last_BG[..., None]
        return NewWords(at_BG, rows, columns, numbers, reads_BGM, self._at_BM[:, :kept])


class WordKeys(Cache):
    """Keys and values of the chosen states of each sequence."""

    def __init__(self, room: Room, most: int, n_heads: int, width: int) -> None:
        self._keys, self._values = (room.zeros(most, n_heads, width // n_heads) for _ in range(2))

    def tensors(self) -> Iterator[Tensor]:
        """Keys, then values: (B, most, H, K) each."""
        yield from (self._keys, self._values)

    def reset(self) -> None:
        """Nothing to do: what is read is what `Words` counts."""

    def add(self, k_BHGK: Tensor, v_BHGK: Tensor, words: NewWords) -> tuple[Tensor, Tensor]:
        """Keep the new ones that are no repetition; all that are kept, (B, H, M, K) each."""
        kept = words.reads_BGM.shape[2]
        for buffer, new in ((self._keys, k_BHGK), (self._values, v_BHGK)):
            buffer[words.rows, words.numbers] = new.transpose(1, 2)[words.rows, words.columns]
        return self._keys[:, :kept].transpose(1, 2), self._values[:, :kept].transpose(1, 2)
