"""What all variants share: embeddings, normalised streams, the tied readout, initialisation.

Shapes: B batch, T tokens, N positions at a scale, D width of its states (d_model at the finest), V vocabulary.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from msarch.config import ModelConfig
from msarch.config.allocation import Stage
from msarch.layers.attention import AttentionCost, causal_pairs
from msarch.layers.past import KeepsStates, Past, states_before
from msarch.layers.positions import Positions
from msarch.layers.transformer_layer import Stack, causal_stack


@runtime_checkable
class InitialisesItself(Protocol):
    """A module whose initialisation differs from the common rule."""

    def initialise(self) -> None:
        """Draw or set this module's own parameters, after the common rule was applied."""


class Stream(nn.Module):
    """The entrance of a scale: a layer norm and, where positions are learned, a vector for each state.

    Every stream is normalised before it meets another, in every variant. Token embeddings start two orders of
    magnitude smaller than the output of a stack of layers, and would be drowned by it for the whole of a small budget.
    This is our own addition to the papers.
    """

    def __init__(self, width: int, positions: int | None, factor: int = 1) -> None:
        super().__init__()
        self.factor = factor
        self.norm = nn.LayerNorm(width)
        self.positions = None if positions is None else nn.Embedding(positions, width)

    def place(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """Add position n to state n, where positions are learned: (B, N, D) -> (B, N, D).

        The result has the type of the parameters: the residual stream stays in full precision under autocast.
        """
        x_BND = x_BND.to(self.norm.weight.dtype)
        before = states_before(past, self.factor)
        return x_BND if self.positions is None else x_BND + self.positions.weight[before : before + x_BND.shape[1]]

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """Norm, then positions: (B, N, D) -> (B, N, D)."""
        return self.place(self.norm(x_BND), past)


class ReadoutNorm(nn.LayerNorm):
    """The norm before the readout, times a constant: 1/m in muP, where logits would else grow with the width."""

    def __init__(self, d_model: int, multiplier: float) -> None:
        super().__init__(d_model)
        self.multiplier = multiplier

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        normed = super().forward(x_BND)
        return normed if self.multiplier == 1 else normed * self.multiplier


class LanguageModel(nn.Module, ABC):
    """A causal language model: ``model(tokens)`` gives logits, (B, T) int64 -> (B, T, V).

    The output at position t has read tokens 0..t and predicts token t + 1.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.streams = nn.ModuleDict()
        self.stacks = nn.ModuleDict()
        self.final_norm = ReadoutNorm(config.d_model, 1 / config.width_ratio)
        self._positions: dict[int, Positions] = {}

    @abstractmethod
    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """States after the final norm, from which logits are read: (B, T) -> (B, T, D).

        With `past` the tokens follow those of earlier calls; whoever calls then counts them in `past.tokens`.
        """

    @abstractmethod
    def attention_costs(self, length: int) -> list[AttentionCost]:
        """What all attention costs for one sequence of `length` tokens, in parts that are alike."""

    def attended_pairs(self, length: int) -> int:
        """Query-key pairs that all layers together compute for one sequence of `length` tokens."""
        return sum(cost.pairs for cost in self.attention_costs(length))

    def attention_products(self, length: int) -> int:
        """Multiplications in one of attention's two products for one sequence: D for each query-key pair."""
        return sum(cost.width * cost.pairs for cost in self.attention_costs(length))

    def cached_numbers(self, length: int) -> int:
        """Numbers that generation keeps after `length` tokens of one sequence: `msarch.layers.past` has them.

        A key and a value of D each a state, and the states that running blocks and the ways between scales need.
        """
        keys = sum(2 * cost.width * cost.states for cost in self.attention_costs(length))
        return keys + sum(module.kept_numbers for module in self.modules() if isinstance(module, KeepsStates))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits, (B, T) int64 -> (B, T, V). Raises ValueError beyond the configured context."""
        return linear(self.features(tokens_BT), self.readout_weight)

    @property
    def readout_weight(self) -> Tensor:
        """(V, D), tied to the token embedding."""
        return self.embedding.weight

    def embed(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """Token embeddings before any norm: (B, T) -> (B, T, D)."""
        tokens = states_before(past, 1) + tokens_BT.shape[1]
        if tokens > self.config.context:
            raise ValueError(f"{tokens} tokens exceed the context of {self.config.context}")
        embedded: Tensor = self.embedding(tokens_BT)
        return embedded

    def positions_at(self, factor: int) -> Positions:
        """The positions of one scale's states, shared by all attention within it."""
        if factor not in self._positions:
            config = self.config
            heads = config.heads_at(factor)
            self._positions[factor] = Positions(config.positions, heads, factor, config.rotary_pairs)
        return self._positions[factor]

    def new_stack(self, stage: Stage, *, built: int = 0) -> Stack:
        """The causal layers of a stage, but for its first `built`, which other modules are."""
        config, width = self.config, self.config.width_at(stage.factor)
        attention_layers = stage.attention_layers - built
        return causal_stack(
            attention_layers, stage.ff_layers, width, self.positions_at(stage.factor), dropout=config.dropout
        )

    def stage_cost(self, stage: Stage, length: int, *, built: int = 0) -> AttentionCost:
        """What attention to their own past costs in the layers of a stage, but for its first `built`."""
        layers, states = stage.attention_layers - built, length // stage.factor
        return AttentionCost(self.config.width_at(stage.factor), layers * causal_pairs(states), layers * states)

    def add_scale(self, factor: int, stack: Stack) -> None:
        """Give the scale of that factor its entrance and its stack of layers."""
        config = self.config
        states = config.context // factor if config.positions == "learned" else None
        self.streams[str(factor)] = Stream(config.width_at(factor), states, factor)
        self.stacks[str(factor)] = stack

    def stream_at(self, factor: int) -> Stream:
        """The entrance of the scale of that factor."""
        return cast(Stream, self.streams[str(factor)])

    def run_scale(self, factor: int, x_BND: Tensor, past: Past | None = None) -> Tensor:
        """Norm, positions and layers of one scale: (B, N, D) -> (B, N, D)."""
        states: Tensor = self.stacks[str(factor)](self.stream_at(factor)(x_BND, past), past)
        return states

    def initialise(self) -> None:
        """Draw every parameter, from torch's current random state.

        Matrices 1/sqrt(fan_in), token embeddings 0.02 or 1/sqrt(d_model) (`embedding_init`), biases 0, norms 1.
        Positions 1, as large as the normalised tokens they are added to: a small model that starts them at 0.02
        spends a third of a short budget before it can tell neighbours apart. The last matrix of each residual
        branch is scaled by 1/sqrt(branches) as in GPT-2, where a layer with attention has two. A module with other
        needs has its own `initialise`, which is called last.
        """
        config = self.config
        depth = 1 / math.sqrt(config.n_residual_branches)
        # In muP the embedding learns at one rate for all widths, so it starts alike at all of them.
        embedding_std = 0.02 if config.embedding_init == "gpt2" else math.sqrt(config.width_ratio / config.d_model)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=1 / math.sqrt(module.in_features))
                nn.init.zeros_(module.bias) if module.bias is not None else None
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=embedding_std)
        for stream in self.streams.values():
            positions = cast(Stream, stream).positions
            if positions is not None:
                nn.init.normal_(positions.weight, std=1.0)
        for name, parameter in self.named_parameters():
            if name.endswith("out.weight"):
                with torch.no_grad():
                    parameter.mul_(depth)
        for module in self.modules():
            if module is not self and isinstance(module, InitialisesItself):
                module.initialise()
