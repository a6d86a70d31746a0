"""SpaceByte: fine layers at every byte, and coarse ones only at the bytes where a word ends.

    x  = Layers_pre( LN(E[bytes]) + P )
    y  = Layers( LN(x at the chosen bytes) + P' )        chosen: see `msarch.layers.selection`
    x += W LN(y) at the chosen bytes, nothing elsewhere
    logits = LN( Layers_post( x ) ) E^T

Slagle 2024 (arXiv 2404.14408): the rule that chooses bytes, selection without any pooling, the sum at the same bytes
alone, from where later bytes read it by attention. Positions of coarse states are those of their bytes. An allocation
``2@1 6@5 2@1`` gives the coarse layers room for context / 5 states: English has a word in 5 to 7 bytes. Beyond that
many no further bytes are chosen. With fewer the rest is padded, so memory does not depend on the text. Ours: a norm
and W where the streams meet, as in hourglass; one width at both scales; fine layers that attend to all earlier bytes,
where the paper has a window as wide as its fine states.

Shapes: B batch, T bytes, G chosen states, D d_model.
"""

from __future__ import annotations

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.layers.attention import SelfAttention, causal_pairs
from msarch.layers.selection import SelectedPositions, Selection, SelectWordStarts
from msarch.layers.transformer_layer import Stack, TransformerLayer
from msarch.models.language_model import LanguageModel, Stream


class Choose(nn.Module):
    """The states at the chosen bytes."""

    drawn_as = "choose"

    def forward(self, x_BTD: Tensor, selection: Selection) -> Tensor:
        """(B, T, D) -> (B, G, D)."""
        return selection.gather(x_BTD)


class AddBack(nn.Module):
    """``x + W LN(y)`` at the bytes that y was chosen from."""

    drawn_as = "add"

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.project = nn.Linear(d_model, d_model)

    def forward(self, x_BTD: Tensor, y_BGD: Tensor, selection: Selection) -> Tensor:
        """(B, T, D) and (B, G, D) -> (B, T, D)."""
        return x_BTD + selection.spread(self.project(self.norm(y_BGD)))


class ByteStream(Stream):
    """The entrance of the coarse scale, whose learned positions are those of bytes."""

    def enter(self, x_BGD: Tensor, selection: Selection) -> Tensor:
        """(B, G, D) -> (B, G, D)."""
        normed: Tensor = self.norm(x_BGD).to(self.norm.weight.dtype)
        return normed if self.positions is None else normed + self.positions(selection.at_BG)


class SpaceByte(LanguageModel):
    """Fine, coarse at the ends of words, fine; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        before, *rest = config.stages
        self.add_scale(1, self.new_stack(before.layers, 1))
        self.coarse = rest[0].factor if rest else 0
        if rest:
            self._add_coarse(rest[0].layers, rest[1].layers)

    def _add_coarse(self, layers: int, after: int) -> None:
        config = self.config
        self.select = SelectWordStarts(config.context // self.coarse)
        self.choose, self.add_back = Choose(), AddBack(config.d_model)
        self.selected = SelectedPositions(config.positions, config.n_heads, config.rotary_pairs)
        learned = config.positions == "learned"
        self.streams[str(self.coarse)] = ByteStream(config.d_model, config.context if learned else None)
        self.stacks[str(self.coarse)] = Stack([self._layer() for _ in range(layers)])
        self.post = self.new_stack(after, 1)

    def _layer(self) -> TransformerLayer:
        config = self.config
        attention = SelfAttention(config.d_model, config.n_heads, self.selected)
        return TransformerLayer(config.d_model, config.d_ff, attention, config.dropout)

    def features(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) -> (B, T, D)."""
        states = self.run_scale(1, self.embed(tokens_BT))
        if self.coarse:
            states = self.post(self._through_words(tokens_BT, states))
        out: Tensor = self.final_norm(states)
        return out

    def _through_words(self, tokens_BT: Tensor, x_BTD: Tensor) -> Tensor:
        selection: Selection = self.select(tokens_BT)
        self.selected.move(selection.at_BG)
        stream = self.streams[str(self.coarse)]
        assert isinstance(stream, ByteStream)
        words = self.stacks[str(self.coarse)](stream.enter(self.choose(x_BTD, selection), selection))
        out: Tensor = self.add_back(x_BTD, words, selection)
        return out

    def attended_pairs(self, length: int) -> int:
        """Each scale attends to its own past, padding included."""
        fine = sum(stage.layers for stage in self.config.stages if stage.factor == 1)
        return fine * causal_pairs(length) + self._coarse_layers * causal_pairs(self._states(length))

    def cached_states(self, length: int) -> int:
        """Every fine state, and as many coarse ones as the text may have by then: one for two bytes at most."""
        fine = sum(stage.layers for stage in self.config.stages if stage.factor == 1)
        return fine * length + self._coarse_layers * min(self._states(length), 1 + length // 2)

    @property
    def _coarse_layers(self) -> int:
        return sum(stage.layers for stage in self.config.stages if stage.factor > 1)

    def _states(self, length: int) -> int:
        """Coarse states that run for so many bytes."""
        return min(self.select.most, length) if self.coarse else 0
