"""The learned ways to shorten a sequence and to bring it back, as alternatives to the mean and to repetition.

All are those of Hourglass (Nawrot et al. 2021, arXiv 2110.13711, sections 2.2 and 2.3), in the alignment of
`msarch.resample`: a coarse state is made from its own block alone and is read from the block's last member on.
Ours: the norms before attention and feed-forward, as in every block here.

Shapes: B batch, N positions at the finer scale, M = N // k blocks at the coarser one, D d_model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from msarch.attention import CrossAttention
from msarch.block import FeedForward, residual_dropout
from msarch.config import ModelConfig
from msarch.resample import CausalUpsample, average_pool


class Reading(nn.Module):
    """``s + Attention(Q = LN s, K = V = LN m)``, then ``s + FFN(LN s)``: states that read other ones."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(config.d_model)
        self.memory_norm = nn.LayerNorm(config.d_model)
        self.attention = CrossAttention(config.d_model, config.n_heads)
        self.feed_forward_norm = nn.LayerNorm(config.d_model)
        self.feed_forward = FeedForward(config.d_model, config.d_ff)
        self.drop = residual_dropout(config.dropout)

    def forward(self, x_BND: Tensor, memory_BMD: Tensor, visible_NM: Tensor) -> Tensor:
        """(B, N, D), (B, M, D) and the mask (N, M) -> (B, N, D)."""
        x_BND = x_BND + self.drop(self.attention(self.query_norm(x_BND), self.memory_norm(memory_BMD), visible_NM))
        out: Tensor = x_BND + self.drop(self.feed_forward(self.feed_forward_norm(x_BND)))
        return out


class AveragePool(nn.Module):
    """The mean of each block: parameter-free, and close to the best in the paper."""

    drawn_as = "average"

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, M, D)."""
        return average_pool(x_BND, self.factor)


class LinearPool(nn.Module):
    """The k states of a block side by side, projected to one: a convolution of stride and width k."""

    drawn_as = "linear"

    def __init__(self, d_model: int, factor: int) -> None:
        super().__init__()
        self.project = nn.Linear(factor * d_model, d_model)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, M, D)."""
        batch, length, d_model = x_BND.shape
        blocks = length * d_model // self.project.in_features
        complete = x_BND[:, : blocks * self.project.in_features // d_model]
        pooled: Tensor = self.project(complete.reshape(batch, blocks, self.project.in_features))
        return pooled


class AttentionPool(nn.Module):
    """``S(x) + Attention(Q = S(x), K = V = x of the same block)``, then feed-forward; S is the mean."""

    drawn_as = "attention"

    def __init__(self, config: ModelConfig, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.reading = Reading(config)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, M, D)."""
        pooled = average_pool(x_BND, self.factor)
        batch, blocks, d_model = pooled.shape
        if blocks == 0:
            return pooled
        members = x_BND[:, : blocks * self.factor].reshape(batch * blocks, self.factor, d_model)
        whole = torch.ones(1, self.factor, dtype=torch.bool, device=x_BND.device)
        read: Tensor = self.reading(pooled.reshape(batch * blocks, 1, d_model), members, whole)
        return read.view(batch, blocks, d_model)


class LinearUpsample(CausalUpsample):
    """Each coarse state, k D wide, gives every position that reads it a part of its own."""

    def forward(self, null_and_coarse: Tensor, length: int) -> Tensor:
        """(B, 1 + M, k D), the null state first -> (B, length, D)."""
        batch, states, width = null_and_coarse.shape
        parts = null_and_coarse.reshape(batch, states * self.factor, width // self.factor)
        return parts[:, 1 : length + 1]


def shortener(config: ModelConfig, factor: int) -> nn.Module:
    """The configured way to shorten by `factor`: (B, N, D) -> (B, N // factor, D)."""
    if config.shortening == "linear":
        return LinearPool(config.d_model, factor)
    return AttentionPool(config, factor) if config.shortening == "attention" else AveragePool(factor)
