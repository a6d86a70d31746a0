"""SpaceByte: fine layers at every byte, and coarse ones only at the bytes where a word ends.

    x  = Layers_pre( LN(E[bytes]) + P )
    y  = Layers( LN(x at the chosen bytes) + P' )        chosen: see `msarch.layers.selection`
    x += W LN(y) at the chosen bytes, nothing elsewhere
    logits = LN( Layers_post( x ) ) E^T

Slagle 2024 (arXiv 2404.14408): the rule that chooses bytes, selection without any pooling, the sum at the same bytes
alone, from where later bytes read it by attention. Positions of coarse states are those of their bytes. An allocation
``2@1 6@5 2@1`` gives the coarse layers room for context / 5 states: English has a word in 5 to 7 bytes. Beyond that
many no further bytes are chosen. With fewer the rest is padded, so memory does not depend on the text. Ours: a norm
and W where the streams meet, as in hourglass; fine layers that attend to all earlier bytes, where the paper has a
window as wide as its fine states. Coarse states may be wider, as the paper's are: ``2@1 6@5:128 2@1``; it pads the
chosen states with zeros to their width, here a projection leads to it.

Shapes: B batch, T bytes, G chosen states; D d_model, E the width of coarse states.
"""

from __future__ import annotations

from torch import Tensor, nn

from msarch.config import ModelConfig
from msarch.config.allocation import Stage
from msarch.layers.attention import AttentionCost, causal_pairs
from msarch.layers.past import Past
from msarch.layers.selection import SelectedAttention, SelectedPositions, Selection, SelectWordStarts
from msarch.layers.transformer_layer import causal_stack
from msarch.layers.widths import to_width
from msarch.models.language_model import LanguageModel, Stream


class Choose(nn.Module):
    """The states at the chosen bytes, projected where coarse states have another width."""

    drawn_as = "choose"

    def __init__(self, d_model: int, coarse_width: int) -> None:
        super().__init__()
        self.project = to_width(d_model, coarse_width)

    def forward(self, x_BTD: Tensor, selection: Selection) -> Tensor:
        """(B, T, D) -> (B, G, E)."""
        chosen: Tensor = self.project(selection.gather(x_BTD))
        return chosen


class AddBack(nn.Module):
    """``x + W LN(y)`` at the bytes that y was chosen from."""

    drawn_as = "add"

    def __init__(self, d_model: int, coarse_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(coarse_width)
        self.project = nn.Linear(coarse_width, d_model)

    def forward(self, x_BTD: Tensor, y_BGE: Tensor, selection: Selection) -> Tensor:
        """(B, T, D) and (B, G, E) -> (B, T, D)."""
        return x_BTD + selection.spread(self.project(self.norm(y_BGE)))


class ByteStream(Stream):
    """The entrance of the coarse scale, whose learned positions are those of bytes."""

    def enter(self, x_BGE: Tensor, selection: Selection) -> Tensor:
        """(B, G, E) -> (B, G, E)."""
        normed: Tensor = self.norm(x_BGE).to(self.norm.weight.dtype)
        return normed if self.positions is None else normed + self.positions(selection.tokens())


class SpaceByte(LanguageModel):
    """Fine, coarse at the ends of words, fine; one scale alone is exactly the vanilla model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        before, *rest = config.stages
        self.add_scale(1, self.new_stack(before))
        self.coarse = rest[0].factor if rest else 0
        if rest:
            self._add_coarse(*rest)

    def _add_coarse(self, words: Stage, after: Stage) -> None:
        config, width = self.config, self.config.width_at(words.factor)
        self.select = SelectWordStarts(config.context // words.factor)
        self.choose, self.add_back = Choose(config.d_model, width), AddBack(config.d_model, width)
        heads = config.heads_at(words.factor)
        self.selected = SelectedPositions(config.positions, heads, config.rotary_pairs, self.select)
        learned = config.positions == "learned"
        self.streams[str(words.factor)] = ByteStream(width, config.context if learned else None)
        self.stacks[str(words.factor)] = causal_stack(
            words.attention_layers, words.ff_layers, width, self.selected, config.dropout, SelectedAttention
        )
        self.post = self.new_stack(after)

    def features(self, tokens_BT: Tensor, past: Past | None = None) -> Tensor:
        """(B, T) -> (B, T, D)."""
        states = self.run_scale(1, self.embed(tokens_BT, past), past)
        if self.coarse:
            states = self.post(self._through_words(tokens_BT, states, past), past)
        out: Tensor = self.final_norm(states)
        return out

    def _through_words(self, tokens_BT: Tensor, x_BTD: Tensor, past: Past | None) -> Tensor:
        selection: Selection = self.select(tokens_BT, past)
        if not selection.at_BG.shape[1]:
            return x_BTD
        self.selected.move(selection)
        stream = self.streams[str(self.coarse)]
        assert isinstance(stream, ByteStream)
        words = self.stacks[str(self.coarse)](stream.enter(self.choose(x_BTD, selection), selection), past)
        out: Tensor = self.add_back(x_BTD, words, selection)
        return out

    def attention_costs(self, length: int) -> list[AttentionCost]:
        """Each scale attends to its own past, padding included.

        Generation keeps every fine state, and as many coarse ones as the text may have by then: one for two bytes at
        most.
        """
        fine = [self.stage_cost(stage, length) for stage in self.config.stages if stage.factor == 1]
        coarse = [self._word_cost(stage, length) for stage in self.config.stages if stage.factor > 1]
        return fine + coarse

    def _word_cost(self, stage: Stage, length: int) -> AttentionCost:
        states, layers = min(self.select.most, length), stage.attention_layers
        kept = self.select.most_in(length)
        return AttentionCost(self.config.width_at(stage.factor), layers * causal_pairs(states), layers * kept)
