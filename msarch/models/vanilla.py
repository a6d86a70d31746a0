"""The baseline: one stack of causal transformer layers at every token.

e = LN(E[x]);  h = Layers(e + P);  logits = LN(h) E^T. Normalising the embedding is ours, as in every variant.
"""

from __future__ import annotations

from torch import Tensor

from msarch.config import ModelConfig
from msarch.layers.attention import AttentionCost
from msarch.layers.past import Past
from msarch.models.language_model import LanguageModel


class Vanilla(LanguageModel):
    """A causal pre-norm transformer (Radford et al. 2019, without dropout)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.add_scale(1, self.new_stack(config.stages[0]))

    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T) -> (B, T, D)."""
        out: Tensor = self.final_norm(self.run_scale(1, self.embed(tokens_BT, past), past))
        return out

    def attention_costs(self, length: int) -> list[AttentionCost]:
        """Every layer with attention attends to the whole past."""
        return [self.stage_cost(self.config.stages[0], length)]
