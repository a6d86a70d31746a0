"""The pre-norm transformer layer that every variant is made of, with and without attention, and a stack at one scale.

Shapes: B batch, N positions at this scale, D d_model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.checkpoint import checkpoint

from msarch.layers.attention import SelfAttention
from msarch.layers.past import Past
from msarch.layers.positions import Positions
from msarch.layers.widths import JoinedLinear

WIDENING = 4
"""How many times as wide as its states a feed-forward network is inside."""


class FeedForward(nn.Module):
    """Linear, GELU, linear; four times as wide inside."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.inner = nn.Linear(d_model, WIDENING * d_model)
        self.out = JoinedLinear(d_model, WIDENING, d_model)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        out: Tensor = self.out(gelu(self.inner(x_BND)))
        return out


def residual_dropout(share: float) -> nn.Module:
    """Dropout on a residual branch; the identity, without a copy, where the share is 0."""
    return nn.Dropout(share) if share else nn.Identity()


class TransformerLayer(nn.Module):
    """``h + Attention(LN h)``, then ``h + FFN(LN h)`` (pre-norm, trainable at 30 layers without tricks).

    With `dropout`, that share of what each branch adds is dropped in training.
    """

    def __init__(self, d_model: int, attention: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = attention
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model)
        self.drop = residual_dropout(dropout)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x_BND = x_BND + self.drop(self.attention(self.attention_norm(x_BND), past))
        out: Tensor = x_BND + self.drop(self.feed_forward(self.feed_forward_norm(x_BND)))
        return out


class FeedForwardLayer(nn.Module):
    """``h + FFN(LN h)``: a layer without attention.

    In trained transformers attention changes little in many layers, above all in the later ones, and can be left out
    there (He et al. 2024, arXiv 2406.15786); here such layers are trained without it.
    """

    def __init__(self, d_model: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model)
        self.drop = residual_dropout(dropout)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        out: Tensor = x_BND + self.drop(self.feed_forward(self.feed_forward_norm(x_BND)))
        return out


class Recomputable(nn.Module):
    """Runs layers that, with `checkpointing`, keep only their inputs and are computed again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.checkpointing = False

    def run(self, layer: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """``layer(*inputs)``, recomputed in the backward pass with `checkpointing`."""
        if self.checkpointing and any(x.requires_grad for x in inputs):
            out: Tensor = checkpoint(layer, *inputs, use_reentrant=False, preserve_rng_state=self._draws)
            return out
        return layer(*inputs)

    @cached_property
    def _draws(self) -> bool:
        """Only dropout needs the same random numbers again; saving the generator's state costs time."""
        return any(isinstance(module, nn.Dropout) for module in self.modules())


class Stack(Recomputable):
    """Layers one after another at one scale, each recomputed on its own with `checkpointing`."""

    def __init__(self, layers: Sequence[TransformerLayer | FeedForwardLayer]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(layers)  # named so in every saved model: stacks.4.blocks.0...

    def __len__(self) -> int:
        return len(self.blocks)

    @property
    def ff_layers(self) -> int:
        """How many of its layers have no attention."""
        return sum(isinstance(layer, FeedForwardLayer) for layer in self.blocks)

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D); an empty sequence (too short for one state of this scale) is returned unchanged."""
        if x_BND.shape[1] == 0:
            return x_BND
        for layer in self.blocks:
            x_BND = self.run(layer, x_BND) if past is None else layer(x_BND, past)
        return x_BND


def causal_stack(
    attention_layers: int,
    ff_layers: int,
    d_model: int,
    positions: Positions,
    dropout: float = 0.0,
    attention: type[SelfAttention] = SelfAttention,
) -> Stack:
    """A stack of layers with causal self-attention, and feed-forward ones after them."""
    attentions = (attention(d_model, positions.n_heads, positions) for _ in range(attention_layers))
    layers = [TransformerLayer(d_model, attention, dropout) for attention in attentions]
    return Stack([*layers, *(FeedForwardLayer(d_model, dropout) for _ in range(ff_layers))])
