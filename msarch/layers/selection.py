"""A coarse scale made of some states of the finer one, chosen by what the text says there.

SpaceByte (Slagle 2024, arXiv 2404.14408) chooses the bytes at which words begin to end: a byte is *spacelike* where it
encodes no letter, no digit and no later part of a character, and a state is chosen where a spacelike byte follows
another one, and at the first byte. Whether a byte is chosen depends on it and on those before it, so nothing has to be
shifted: a chosen state is read from its own byte on.

Shapes: B batch, T bytes, G chosen states, D d_model, H heads, K width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from msarch.layers.attention import SelfAttention, attend
from msarch.layers.kept_words import NewWords, WordKeys, Words
from msarch.layers.past import Cache, Past, Room, states_before
from msarch.layers.positions import Positions, slopes

BYTES = 256


def spacelike_bytes() -> Tensor:
    """(256,) true for each byte that is no ASCII letter, no digit and no continuation byte of UTF-8."""
    inside = [(chr(byte).isascii() and chr(byte).isalnum()) or 0x80 <= byte < 0xC0 for byte in range(BYTES)]
    return ~torch.tensor(inside)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which states of a finer scale make the coarser one.

    Attributes:
        at_BG: (B, G) int64, where each chosen state stands; the last position again where there are fewer than G.
        slot_BT: (B, T) int64, the number of the state chosen at a position; G where none is.
        words: in generation, which of the states are no repetition, and what was chosen before them.
    """

    at_BG: Tensor
    slot_BT: Tensor
    words: NewWords | None = None

    def tokens(self) -> Tensor:
        """(B, G) the tokens that the chosen states stand at."""
        return self.at_BG if self.words is None else self.words.at_BG

    def gather(self, x_BTD: Tensor) -> Tensor:
        """The chosen states: (B, T, D) -> (B, G, D)."""
        return x_BTD.gather(1, self.at_BG[..., None].expand(-1, -1, x_BTD.shape[2]))

    def spread(self, y_BGD: Tensor) -> Tensor:
        """Each state back at the position that it was chosen from, 0 elsewhere: (B, G, D) -> (B, T, D)."""
        zero = y_BGD.new_zeros(y_BGD.shape[0], 1, y_BGD.shape[2])
        return torch.cat([y_BGD, zero], dim=1).gather(1, self.slot_BT[..., None].expand(-1, -1, y_BGD.shape[2]))


class SelectWordStarts(nn.Module):
    """Chooses at most `most` bytes of each sequence, the earliest ones, in tensors whose shapes no text changes."""

    spacelike: Tensor

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        # Derived from a rule, so it need not be saved with the weights.
        self.register_buffer("spacelike", spacelike_bytes(), persistent=False)

    def chosen(self, bytes_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T), true where a state is chosen if there is room: (B, T) int64 -> (B, T)."""
        spacelike_BT: Tensor = self.spacelike[bytes_BT]
        if past is None:
            last_B1 = torch.zeros_like(spacelike_BT[:, :1])
        else:
            last_B1 = past.of(self, Words).last_spacelike(spacelike_BT[:, -1:])
        before_BT = torch.cat([last_B1, spacelike_BT[:, :-1]], dim=1)
        first_T = torch.arange(bytes_BT.shape[1], device=bytes_BT.device) == -states_before(past, 1)
        return first_T | (spacelike_BT & ~before_BT)

    def forward(self, bytes_BT: Tensor, past: Past | None = None) -> Selection:
        """(B, T) int64 -> the selection, of `most` states or of T where the sequence is shorter.

        In generation it has as many as the sequence with most new ones.
        """
        chosen_BT = self.chosen(bytes_BT, past)
        so_far_BT = chosen_BT.cumsum(dim=1)
        if past is None:
            count = min(self.most, bytes_BT.shape[1])
            return Selection(*_placed(chosen_BT, so_far_BT, count, count))
        words = past.of(self, Words)
        left_B1 = self.most - words.count_B[:, None]
        new_B1 = torch.minimum(so_far_BT[:, -1:], left_B1)
        at_BG, slot_BT = _placed(chosen_BT, so_far_BT, int(new_B1.max()), left_B1)
        return Selection(at_BG, slot_BT, words.add(at_BG + past.tokens, new_B1[:, 0]))

    def most_in(self, tokens: int) -> int:
        """How many of so many bytes may be chosen: the first, and of those after it every other one."""
        return min(self.most, 1 + tokens // 2)

    def new_cache(self, room: Room) -> Words:
        """For what is chosen of so many bytes."""
        return Words(room, self.most_in(room.tokens))


def _placed(chosen_BT: Tensor, so_far_BT: Tensor, count: int, left: int | Tensor) -> tuple[Tensor, Tensor]:
    """`at_BG` and `slot_BT` of a selection of `count` states, where there is room for `left` of each sequence."""
    numbers_BG = torch.arange(1, count + 1, device=chosen_BT.device).expand(chosen_BT.shape[0], -1)
    # The j-th chosen byte is the first at which j have been chosen; past the last one that is the length.
    at_BG = torch.searchsorted(so_far_BT, numbers_BG.contiguous()).clamp(max=chosen_BT.shape[1] - 1)
    slot_BT = torch.where(chosen_BT & (so_far_BT <= left), so_far_BT - 1, count)
    return at_BG, slot_BT


class SelectedPositions(Positions):
    """Positions of chosen states, another set for each sequence; told them by `move` before the layers run.

    A state that pads a sequence stands behind all others, so the causal mask keeps it from them.
    """

    def __init__(self, scheme: str, n_heads: int, pairs: str, select: SelectWordStarts) -> None:
        super().__init__(scheme, n_heads, 1, pairs)
        self.select = select
        self._at_BG = torch.empty(0, 0, dtype=torch.int64)
        self._made: dict[str, tuple[Tensor, ...]] = {}
        self.words: NewWords | None = None

    def move(self, selection: Selection) -> None:
        """To these states; until the backward pass of these layers has ended."""
        self._at_BG, self.words = selection.tokens(), selection.words
        self._made.clear()

    def causal_bias(self, like_BHNK: Tensor) -> Tensor | None:
        """(B, H, G, G) where the scheme is ALiBi: distances in bytes between states of one sequence."""
        if self.scheme != "alibi":
            return None
        return self._once("bias", lambda: (self._causal_bias(like_BHNK),))[0]

    def mask_of(self, words: NewWords, like_BHGK: Tensor) -> Tensor:
        """What new states read of those that are kept: (B, 1, G, M), or (B, H, G, M) where the scheme is ALiBi."""
        reads_B1GM = words.reads_BGM[:, None]
        if self.scheme != "alibi":
            return reads_B1GM
        return self._once("bias", lambda: (self._biased(words.at_BG, words.kept_at_BM, ~reads_B1GM, like_BHGK),))[0]

    def _turning(self, x_BHNK: Tensor) -> tuple[Tensor, ...]:
        """Of each sequence its own, (B, G, K / 2): where its states stand."""
        width = x_BHNK.shape[3]
        # Tables are made per position: for all sequences as one row, then cut again.
        made = self._once("tables", lambda: self.rotation.tables(self._at_BG.flatten(), width, x_BHNK))
        return tuple(table.view(*self._at_BG.shape, -1) for table in made)

    def _once(self, name: str, make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `make` gives, the same for all layers until the next move."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _causal_bias(self, like_BHNK: Tensor) -> Tensor:
        count = self._at_BG.shape[1]
        ahead_GG = torch.ones(count, count, dtype=torch.bool, device=self._at_BG.device).triu(diagonal=1)
        return self._biased(self._at_BG, self._at_BG, ahead_GG, like_BHNK)

    def _biased(self, at_BG: Tensor, at_BM: Tensor, hidden: Tensor, like_BHNK: Tensor) -> Tensor:
        distance_BGM = (at_BG[:, :, None] - at_BM[:, None, :]).to(like_BHNK.dtype)
        bias_BHGM = -slopes(self.n_heads, like_BHNK)[:, None, None] * distance_BGM[:, None]
        return bias_BHGM.masked_fill_(hidden, float("-inf"))


class SelectedAttention(SelfAttention):
    """Self-attention of chosen states: in generation their number differs between sequences."""

    positions: SelectedPositions

    def new_cache(self, room: Room) -> Cache:
        """For what is chosen of so many bytes."""
        return WordKeys(room, self.positions.select.most_in(room.tokens), self.n_heads, self.out.in_features)

    def read_past(self, q_BHNK: Tensor, k_BHNK: Tensor, v_BHNK: Tensor, past: Past) -> Tensor:
        """New states read those kept and themselves, and are kept: three of (B, H, G, K) -> (B, H, G, K)."""
        words = self.positions.words
        assert words is not None
        q, k = (self.positions.turned(x) for x in (q_BHNK, k_BHNK))
        keys, values = past.of(self, WordKeys).add(k, v_BHNK, words)
        return attend(q, keys, values, self.positions.mask_of(words, q))
