"""Positions of states in the text, and how attention takes them into account.

The state of a block has the position of the block's last token: state j of a scale of factor f is at (j+1) f - 1. A
learned null state comes before the text, at -1. A state has read everything up to its position, so it may be read from
there on. This one rule gives masks and distances between any two scales, and distances agree across scales. (Our
proposal: the papers of the schemes below have a single scale.)

    learned   one vector for each state of a scale, added where the scale begins (`Stream`); attention is unchanged
    rotary    queries and keys turned by angles proportional to their position (Su et al. 2021, arXiv 2104.09864),
              two numbers of a vector at a time: see `ROTATIONS`
    alibi     score - m_h (distance), m_h = 2^(-8h/H) for head h = 1..H (Press et al. 2022, arXiv 2108.12409)
    none      order from the causal mask alone (Kazemnejad et al. 2023, arXiv 2305.19466)

Shapes: B batch, N and M positions of queries and keys, H heads, K width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BASE = 10_000.0
"""Base of the rotary angles, as in the paper: the slowest pair turns once in about 2 pi * BASE tokens."""


def last_tokens(states: int, factor: int, device: torch.device, before: int = 0) -> Tensor:
    """(states,) int64: the last token of each block of `factor` tokens, after the first `before` blocks."""
    return (torch.arange(before, before + states, device=device) + 1) * factor - 1


def null_first(at_M: Tensor) -> Tensor:
    """(1 + M,): the positions of those states with a null state before them."""
    return torch.cat([at_M.new_full((1,), -1), at_M])


def visible(at_N: Tensor, at_M: Tensor) -> Tensor:
    """(N, M), true where a query may read a key: where the key's last token is not after the query's."""
    return at_M <= at_N[:, None]


def slopes(n_heads: int, like: Tensor) -> Tensor:
    """(H,) the m_h of ALiBi, in the type and on the device of `like`."""
    heads = torch.arange(1, n_heads + 1, dtype=torch.float64)
    return (2.0 ** (-8.0 * heads / n_heads)).to(dtype=like.dtype, device=like.device)


def distance_bias(at_N: Tensor, at_M: Tensor, seen_NM: Tensor, n_heads: int, like: Tensor) -> Tensor:
    """(H, N, M) -m_h times the distance in tokens where a query reads a key, -inf elsewhere."""
    # Softmax would also accept a term for each key alone, but in half precision only small distances are exact.
    distance_NM = (at_N[:, None] - at_M).to(like.dtype)
    bias_HNM = -slopes(n_heads, like)[:, None, None] * distance_NM
    return bias_HNM.masked_fill_(~seen_NM, float("-inf"))


def angles(at_N: Tensor, width: int) -> Tensor:
    """(N, K / 2) float64: the angle of each pair of a vector of that width at each position."""
    # In double precision: at position 10,000 a single-precision angle can be off by 1e-3.
    speeds = BASE ** (-torch.arange(0, width, 2, dtype=torch.float64, device=at_N.device) / width)
    return at_N[:, None] * speeds


def cosines(at_N: Tensor, width: int, like: Tensor) -> tuple[Tensor, ...]:
    """Cosines and sines, (N, K / 2) each, of the angles at each position; in single precision at least."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    angles_NK = angles(at_N, width)
    return angles_NK.cos().to(dtype), angles_NK.sin().to(dtype)


def turn_halves(x_BHNK: Tensor, cos_NK: Tensor, sin_NK: Tensor) -> Tensor:
    """Rotate the pairs (i, i + K / 2) of each vector by its angles: (B, H, N, K) -> the same, in the same type.

    Tables may also differ between sequences: (B, N, K / 2).
    """
    # In the layout (B, N, H, K) of a projection: attention gives its output the layout of its queries, and merging the
    # heads of any other layout is a copy.
    left, right = x_BHNK.transpose(1, 2).chunk(2, dim=-1)
    cos, sin = cos_NK.unsqueeze(-2), sin_NK.unsqueeze(-2)
    turned = torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)
    return turned.to(x_BHNK.dtype).transpose(1, 2)


def phases(at_N: Tensor, width: int, like: Tensor) -> tuple[Tensor, ...]:
    """exp(i angle), (N, K / 2) complex, of the angles at each position; in single precision at least."""
    dtype = torch.promote_types(like.dtype, torch.complex64)
    angles_NK = angles(at_N, width)
    return (torch.polar(torch.ones_like(angles_NK), angles_NK).to(dtype),)


def turn_adjacent(x_BHNK: Tensor, phases_NK: Tensor) -> Tensor:
    """Rotate the pairs (2i, 2i + 1) of each vector, as complex numbers, by its angles: (B, H, N, K) -> the same.

    Type and layout are as in `turn_halves`; one multiplication takes the place of four and two sums.
    """
    x_BNHK = x_BHNK.transpose(1, 2)
    dtype = torch.float64 if phases_NK.dtype == torch.complex128 else torch.float32  # torch.compile has no `to_real`
    pairs = x_BNHK.view(*x_BNHK.shape[:-1], x_BNHK.shape[-1] // 2, 2).to(dtype)
    turned = torch.view_as_real(torch.view_as_complex(pairs) * phases_NK.unsqueeze(-2))
    return turned.flatten(-2).to(x_BHNK.dtype).transpose(1, 2)


@dataclass(frozen=True, slots=True)
class Rotation:
    """A choice of pairs: `tables(at_N, K, like)` are what `turn(x_BHNK, *tables)` needs."""

    tables: Callable[[Tensor, int, Tensor], tuple[Tensor, ...]]
    turn: Callable[..., Tensor]

    def at(self, x_BHNK: Tensor, at_N: Tensor) -> Tensor:
        """Queries or keys that stand at tokens `at_N`, turned."""
        return self.turn(x_BHNK, *self.tables(at_N, x_BHNK.shape[3], x_BHNK))


ROTATIONS = {"halves": Rotation(cosines, turn_halves), "adjacent": Rotation(phases, turn_adjacent)}
"""The ways to pair the numbers of a vector: two models that differ by the order of those numbers alone."""


class Positions:
    """Positions within one scale, shared by all its layers, so that tables and biases exist once.

    The last tables are kept, since they depend only on length, type and device.
    """

    def __init__(self, scheme: str, n_heads: int, factor: int, pairs: str = "halves") -> None:
        self.scheme, self.n_heads, self.factor = scheme, n_heads, factor
        self.rotation = ROTATIONS[pairs]
        self._kept: dict[str, tuple[object, tuple[Tensor, ...]]] = {}

    def prepare(self, like_BHNK: Tensor) -> None:
        """Make what self-attention of such queries will read, so that layers find it whenever they run."""
        if self.scheme == "rotary":
            self._turning(like_BHNK)
        self.causal_bias(like_BHNK)

    def turned(self, x_BHNK: Tensor) -> Tensor:
        """Queries or keys ready for attention: rotated where the scheme is rotary."""
        return self.rotation.turn(x_BHNK, *self._turning(x_BHNK)) if self.scheme == "rotary" else x_BHNK

    def turned_after(self, x_BHNK: Tensor, before: int, most: int) -> Tensor:
        """The same for states that come after `before` others, of `most` that there may be: one table serves all."""
        if self.scheme != "rotary":
            return x_BHNK
        tables = self._tables("all tables", x_BHNK, most)
        return self.rotation.turn(x_BHNK, *(table[before : before + x_BHNK.shape[2]] for table in tables))

    def turned_by(self, x_BHNK: Tensor, tokens_N: Tensor) -> Tensor:
        """Keys that were turned already, so many tokens further."""
        return self.rotation.at(x_BHNK, tokens_N) if self.scheme == "rotary" else x_BHNK

    def causal_bias(self, like_BHNK: Tensor) -> Tensor | None:
        """(H, N, N) for self-attention where the scheme is ALiBi; None where the causal mask is enough."""
        return self._bias("bias", like_BHNK, 0) if self.scheme == "alibi" else None

    def mask_after(self, before: int, like_BHNK: Tensor) -> Tensor | None:
        """What states that come after `before` others read of all: (N, M) or (H, N, M), as `attend` takes it.

        None where a causal mask, or no mask for a single state, is enough.
        """
        if self.scheme == "alibi":
            return self._bias("bias of new states", like_BHNK, before)
        new = like_BHNK.shape[2]
        if before == 0 or new == 1:
            return None
        return self._keep("mask", like_BHNK, before + new, before, lambda at_M: (visible(at_M[before:], at_M),))[0]

    def _turning(self, x_BHNK: Tensor) -> tuple[Tensor, ...]:
        """The tables that `turned` turns all states of a sequence by."""
        return self._tables("tables", x_BHNK, x_BHNK.shape[2])

    def _tables(self, name: str, like_BHNK: Tensor, states: int) -> tuple[Tensor, ...]:
        def make(at_N: Tensor) -> tuple[Tensor, ...]:
            return self.rotation.tables(at_N, like_BHNK.shape[3], like_BHNK)

        return self._keep(name, like_BHNK, states, 0, make)

    def _bias(self, name: str, like_BHNK: Tensor, before: int) -> Tensor:
        def make(at_M: Tensor) -> tuple[Tensor, ...]:
            at_N = at_M[before:]
            return (distance_bias(at_N, at_M, visible(at_N, at_M), self.n_heads, like_BHNK),)

        return self._keep(name, like_BHNK, before + like_BHNK.shape[2], before, make)[0]

    def _keep(
        self,
        name: str,
        like_BHNK: Tensor,
        states: int,
        before: int,
        make: Callable[[Tensor], tuple[Tensor, ...]],
    ) -> tuple[Tensor, ...]:
        """The tables that `make` returns for the positions of so many states, the first `before` of them older.

        They are made again when these numbers, type or device change.
        """
        key = (states, before, like_BHNK.dtype, like_BHNK.device)
        if name not in self._kept or self._kept[name][0] != key:
            # A first call may come from validation in inference mode, whose tensors autograd cannot save later.
            with torch.inference_mode(False):
                self._kept[name] = (key, make(last_tokens(states, self.factor, like_BHNK.device)))
        return self._kept[name][1]
