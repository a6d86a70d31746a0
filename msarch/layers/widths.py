"""Between states of different widths, and how wide the states are that a matrix reads."""

from __future__ import annotations

from torch import nn


class JoinedLinear(nn.Linear):
    """A linear layer whose input is `parts` times as wide as a state: states side by side, or one that was widened.

    Attributes:
        width: of one state, by which muP measures how wide the model is.
    """

    def __init__(self, width: int, parts: int, out_features: int) -> None:
        super().__init__(parts * width, out_features)
        self.width = width


def width_read(linear: nn.Linear) -> int:
    """How wide the states are that it reads."""
    return linear.width if isinstance(linear, JoinedLinear) else linear.in_features


def to_width(before: int, after: int) -> nn.Module:
    """A projection from one width to another; the identity, without parameters, where they are equal."""
    return nn.Identity() if before == after else nn.Linear(before, after)
