"""Between scales: pooling tokens into blocks and reading completed blocks back, without seeing ahead.

Shapes: B batch, N positions at the finer scale, M = N // k blocks at the coarser one, D d_model.

Convention (inclusive): the state at position t has read tokens 0..t. Block j covers positions
jk .. (j+1)k - 1 and may be read from position (j+1)k - 1 on, where its last member is known.
An incomplete block at the end could never be read, so it is not made; any length of sequence works.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def average_pool(x_BND: Tensor, factor: int) -> Tensor:
    """Mean of each complete block of `factor` positions: (B, N, D) -> (B, N // factor, D)."""
    if factor == 1:
        return x_BND
    blocks = x_BND.shape[1] // factor
    complete = x_BND[:, : blocks * factor]
    return complete.reshape(complete.shape[0], blocks, factor, complete.shape[-1]).mean(dim=2)


class CausalUpsample(nn.Module):
    """Repeats each coarse state at the fine positions whose last completed block it is.

    u_i = c_{floor((i+1)/k) - 1}, the null state where the index is -1 (reference: the smallest legal shift,
    Hourglass, arXiv 2110.13711, appendix A.2, in the inclusive convention).

    In generation the positions go on where those of an earlier call ended: after `passed` positions of a block that is
    not complete yet. The first state is then the last one that was complete before them.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
        """(B, 1 + M, D), the null state first -> (B, length, D)."""
        # The null state serves positions 0 .. k - 2: one fewer than the k copies, so the first copy is dropped.
        repeated = null_and_coarse.unsqueeze(2).expand(-1, -1, self.factor, -1).flatten(1, 2)
        return repeated[:, passed + 1 : passed + length + 1]


class LinearUpsample(CausalUpsample):
    """Each coarse state, k D wide, gives every position that reads it a part of its own (Hourglass, section 2.3)."""

    def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
        """(B, 1 + M, k D), the null state first -> (B, length, D)."""
        batch, states, width = null_and_coarse.shape
        parts = null_and_coarse.reshape(batch, states * self.factor, width // self.factor)
        return parts[:, passed + 1 : passed + length + 1]


def prepend(vector_D: Tensor, x_BND: Tensor) -> Tensor:
    """Put one learned vector before each sequence: (B, 1 + N, D)."""
    return torch.cat([vector_D.to(x_BND.dtype).expand(x_BND.shape[0], 1, -1), x_BND], dim=1)
