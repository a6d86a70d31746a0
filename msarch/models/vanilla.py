"""The baseline: one stack of causal transformer layers at every token.

e = LN(E[x]);  h = Layers(e + P);  logits = LN(h) E^T. Normalising the embedding is ours, as in every variant.
"""

from __future__ import annotations

from torch import Tensor

from msarch.config import ModelConfig
from msarch.layers.attention import causal_pairs
from msarch.models.language_model import LanguageModel


class Vanilla(LanguageModel):
    """A causal pre-norm transformer (Radford et al. 2019, without dropout)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.add_scale(1, self.new_stack(config.n_layers, 1))

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        out: Tensor = self.final_norm(self.run_scale(1, self.embed(tokens_BT)))
        return out

    def attended_pairs(self, length: int) -> int:
        """Every layer attends to the whole past."""
        return self.config.n_layers * causal_pairs(length)

    def cached_states(self, length: int) -> int:
        """Every layer keeps every token."""
        return self.config.n_layers * length
