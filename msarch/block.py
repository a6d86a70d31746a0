"""The pre-norm transformer block that every variant is made of, and a stack of them at one scale.

Shapes: B batch, N positions at this scale, D d_model.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.checkpoint import checkpoint

from msarch.attention import SelfAttention


class FeedForward(nn.Module):
    """Linear, GELU, linear; four times as wide inside."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.inner = nn.Linear(d_model, d_ff)
        self.out = nn.Linear(d_ff, d_model)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        out: Tensor = self.out(gelu(self.inner(x_BND)))
        return out


def residual_dropout(share: float) -> nn.Module:
    """Drops that share of a residual branch in training; nothing at all, not even a copy, where the share is 0."""
    return nn.Dropout(share) if share else nn.Identity()


class Block(nn.Module):
    """``h + Attention(LN h)``, then ``h + FFN(LN h)`` (pre-norm, trainable at 30 layers without tricks).

    With `dropout`, that share of what each branch adds is dropped in training.
    """

    def __init__(self, d_model: int, d_ff: int, attention: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = attention
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.drop = residual_dropout(dropout)
        self.draws = dropout > 0

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x_BND = x_BND + self.drop(self.attention(self.attention_norm(x_BND)))
        out: Tensor = x_BND + self.drop(self.feed_forward(self.feed_forward_norm(x_BND)))
        return out


class Stack(nn.Module):
    """Blocks one after another at one scale.

    With `checkpointing`, each block keeps only its input and is computed again in the backward pass.
    """

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.checkpointing = False

    def __len__(self) -> int:
        return len(self.blocks)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D); a sequence too short for a single state of this scale passes as it is."""
        if x_BND.shape[1] == 0:
            return x_BND
        for block in self.blocks:
            if self.checkpointing and x_BND.requires_grad:
                # Only dropout draws anything that has to be drawn again.
                x_BND = checkpoint(block, x_BND, use_reentrant=False, preserve_rng_state=block.draws)
            else:
                x_BND = block(x_BND)
        return x_BND


def causal_stack(layers: int, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0) -> Stack:
    """`layers` blocks of causal self-attention."""
    return Stack([Block(d_model, d_ff, SelfAttention(d_model, n_heads), dropout) for _ in range(layers)])
