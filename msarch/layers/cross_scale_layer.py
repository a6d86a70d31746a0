"""A layer with which one sequence reads another: cross-attention, then feed-forward.

Shapes: B batch, N positions that read, M positions that are read; D and E the widths of their states.
"""

from __future__ import annotations

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import CrossAttention
from msarch.layers.past import PlacedKeys
from msarch.layers.transformer_layer import FeedForward, Recomputable, residual_dropout


class CrossScaleLayer(Recomputable):
    """``s + Attention(Q = LN s, K = V = LN m)``, then ``s + FFN(LN s)``: s reads m."""

    def __init__(self, config: ModelConfig, width: int, memory_width: int) -> None:
        super().__init__()
        heads = width // config.d_head
        self.query_norm = nn.LayerNorm(width)
        self.memory_norm = nn.LayerNorm(memory_width)
        self.attention = CrossAttention(width, heads, config.positions, config.rotary_pairs, memory_width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width)
        self.drop = residual_dropout(config.dropout)

    def forward(
        self, x_BND: Tensor, memory_BME: Tensor, at_N: Tensor, at_M: Tensor, kept: PlacedKeys | None = None
    ) -> Tensor:
        """(B, N, D) at tokens `at_N` reads (B, M, E) at tokens `at_M`, and what is `kept` of it -> (B, N, D)."""
        if kept is not None:
            return self._read(x_BND, memory_BME, at_N, at_M, kept)
        return self.run(self._read, x_BND, memory_BME, at_N, at_M)

    def _read(
        self, x_BND: Tensor, memory_BME: Tensor, at_N: Tensor, at_M: Tensor, kept: PlacedKeys | None = None
    ) -> Tensor:
        read = self.attention(self.query_norm(x_BND), self.memory_norm(memory_BME), at_N, at_M, kept)
        x_BND = x_BND + self.drop(read)
        out: Tensor = x_BND + self.drop(self.feed_forward(self.feed_forward_norm(x_BND)))
        return out
