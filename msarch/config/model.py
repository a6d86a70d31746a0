"""One architecture as a frozen dataclass. What follows from a field is a property, never a second field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from msarch.config.allocation import (
    Stage,
    check_nested,
    check_widths,
    format_layers,
    in_one_spelling,
    parse_layers,
    widths_given,
)
from msarch.config.checks import LARGEST_VOCABULARY, check_number, check_types, check_whole, choices_of
from msarch.config.orders import check_layers
from msarch.config.variants import Variant, options_without_effect, variant_named
from msarch.errors import UserError, quoted, shortened

LARGEST_SIZES = {
    "d_model": 2**20,
    "n_heads": 2**20,
    "vocab_size": LARGEST_VOCABULARY,
    "context": 2**24,
    "base_width": 2**31,
}
"""Above these no machine could train a model, and the sizes of its tensors would not fit 64 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """One architecture, fully specified.

    Attributes:
        variant: a registered architecture: vanilla, top_down, bottom_up, retina, hourglass,
            spacebyte.
        layers: the layer allocation, ``LAYERS@FACTOR ...`` in the order of computation. ``2+4ff@16`` are two layers and
            four feed-forward ones, without attention, after them. ``4@16:192`` gives the states of that scale a width
            of their own; a width is written once, and left out where it is `d_model`.
        d_model: width of the finest scale's states, and of every scale that has no width of its own in `layers`. The
            feed-forward width is 4 times that of the states.
        n_heads: attention heads of a layer that is d_model wide; divides `d_model`. All heads are equally wide, so a
            wider scale has more of them.
        vocab_size: tokens in the vocabulary.
        context: the longest sequence, in tokens.
        dropout: share of each residual branch's output that is dropped in training. Attention weights are never
            dropped: that would force the kernel that keeps all scores.
        positions: how order enters attention: "learned" (a vector for each state of a scale), "rotary", "alibi" or
            "none". A coarse state has the position of its block's last token.
        parametrization: "standard", or "mup" (arXiv 2203.03466), in which the best learning rate is the same for
            every width: a matrix learns at learning_rate * base_width / the width of the states that it reads, and
            logits are scaled by base_width / d_model. Keep d_head fixed, so that heads grow with the width.
        base_width: the width at which the learning rate is meant, in "mup".
        rotary_pairs: which numbers of a vector rotary positions turn as a pair: "halves" (i and i + d_head / 2) or
            "adjacent" (2i and 2i + 1, as in the paper). The same model but for the order of its numbers; the second
            takes less time.
        embedding_init: how large token embeddings start: "gpt2" (0.02) or "fan_in" (1/sqrt(d_model), as all other
            matrices; of base_width in muP).
        pool: how top_down and bottom_up make a coarse state from its block: "average"; "conv" (a strided
            convolution); "attention" (the mean reads its block, as in Hourglass); "query_only" (the first layer of a
            scale has pooled queries alone, and reads all that is finer up to its block's end, as in
            Funnel-Transformer). The first two are the paper's "convolutions or pooling".
        combine: how a finer stream of top_down meets the coarser one: "concat" and a projection, or "add".
        aggregation: what a token of bottom_up reads: "all" completed coarse states of all scales, or the "aligned"
            ones, the last of each scale.
        retina_factors: shortening factors of a retina's keys, finest first: (1, 4, 16).
        retina_windows: how many units of each scale but the coarsest a token keeps: (64, 16). With a window for the
            coarsest too, what is older is not read at all: factors (1,) with windows (64,) are a sliding window.
        shortening: how an hourglass makes a coarse state from its block: "average", "linear" (its states side by
            side, projected) or "attention" (the mean reads the block).
        upsampling: how top_down and hourglass bring coarse states back: "repeat", "linear" (a projection for each
            position) or "attention" (the same, then each position reads all completed coarse states).
    """

    variant: str
    layers: str
    d_model: int
    n_heads: int
    vocab_size: int
    context: int
    dropout: float = 0.0
    positions: Literal["learned", "rotary", "alibi", "none"] = "learned"
    parametrization: Literal["standard", "mup"] = "standard"
    base_width: int = 64
    rotary_pairs: Literal["halves", "adjacent"] = "adjacent"
    embedding_init: Literal["gpt2", "fan_in"] = "gpt2"
    pool: Literal["average", "conv", "attention", "query_only"] = "average"
    combine: Literal["concat", "add"] = "concat"
    aggregation: Literal["all", "aligned"] = "all"
    retina_factors: tuple[int, ...] = ()
    retina_windows: tuple[int, ...] = ()
    shortening: Literal["average", "linear", "attention"] = "average"
    upsampling: Literal["repeat", "linear", "attention"] = "repeat"

    def __post_init__(self) -> None:
        check_types(self)
        variant = variant_named(self.variant)
        for name, largest in LARGEST_SIZES.items():
            check_whole(self, name, low=1, high=largest)
        check_number(self, "dropout", low=0.0, high=0.9)
        if self.d_model % self.n_heads:
            raise UserError(
                f"{self.n_heads} heads do not divide d_model {self.d_model}; choose one of "
                f"{shortened(_divisors(self.d_model))}",
                key="n_heads",
            )
        self._check_layers(variant)
        self._check_options(variant)
        if max(self.scales) > self.context:
            raise UserError(
                f"no block of {max(self.scales)} tokens is ever complete in a context of {self.context}", key="context"
            )

    def _check_layers(self, variant: Variant) -> None:
        stages = self.stages
        try:
            check_layers(stages, variant.order, self.variant)
            check_widths(stages, self.d_model, self.d_head)
        except UserError as error:
            raise error.under("layers") from None
        if any(stage.width for stage in stages) or "ff" in self.layers:
            # One model has one spelling, so that it is the same candidate whoever wrote it.
            object.__setattr__(self, "layers", format_layers(in_one_spelling(stages, self.d_model)))

    def _check_options(self, variant: Variant) -> None:
        without_effect = options_without_effect(self.variant)
        for option in fields(self):
            if option.name in without_effect and getattr(self, option.name) != option.default:
                raise UserError(f"{option.name} has no effect on {self.variant}; leave it out", key=option.name)
        for option in fields(self):
            other, value = NEEDS.get(option.name, ("", None))
            if other and getattr(self, other) != value and getattr(self, option.name) != option.default:
                raise UserError(
                    f"{option.name} has no effect with {other} {getattr(self, other)}; leave it out", key=option.name
                )
        if self.positions == "rotary" and self.d_head % 2:
            raise UserError(f"rotary turns pairs, and heads of width {self.d_head} are odd", key="positions")
        if variant.reads_bytes and self.vocab_size != 256:
            raise UserError(
                f"{self.variant} reads bytes: choose the tokenizer bytes, with 256 tokens; got {self.vocab_size}",
                key="vocab_size",
            )
        if self.pool == "query_only" and any(s.factor > 1 and not s.attention_layers for s in self.stages):
            raise UserError(
                f"query_only pooling is the first layer with attention of each coarse scale, and '{self.layers}' has a "
                "coarse scale without one; write '1+2ff' in place of '3ff'",
                key="pool",
            )
        if "retina_factors" in variant.options:
            _check_retina(self.retina_factors, self.retina_windows)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The parsed layer allocation, in the order of computation."""
        return parse_layers(self.layers)

    @property
    def scales(self) -> tuple[int, ...]:
        """Every shortening factor once, in the order in which its layers (or keys) first appear."""
        return self.retina_factors or tuple(dict.fromkeys(stage.factor for stage in self.stages))

    @property
    def n_layers(self) -> int:
        """Layers at all scales together."""
        return sum(stage.layers for stage in self.stages)

    @property
    def n_residual_branches(self) -> int:
        """What all layers together add to a stream: two terms each, or one where a layer has no attention."""
        return sum(2 * stage.layers - stage.ff_layers for stage in self.stages)

    @property
    def d_head(self) -> int:
        """Width of one attention head, the same at every scale."""
        return self.d_model // self.n_heads

    def width_at(self, factor: int) -> int:
        """Width of the states of one scale."""
        return widths_given(self.stages).get(factor, self.d_model)

    def heads_at(self, factor: int) -> int:
        """Attention heads of the layers of one scale."""
        return self.width_at(factor) // self.d_head

    @property
    def width_ratio(self) -> float:
        """m of muP: how many times as wide as its base this model is; 1 in the standard parametrization."""
        return self.width_ratio_of(self.d_model)

    def width_ratio_of(self, width: int) -> float:
        """m of muP for a matrix that reads states of that width."""
        return width / self.base_width if self.parametrization == "mup" else 1.0


NEEDS: dict[str, tuple[str, str]] = {"base_width": ("parametrization", "mup"), "rotary_pairs": ("positions", "rotary")}
"""Fields of `ModelConfig` that are read only where another one has this value; elsewhere they keep their default."""


def _divisors(number: int) -> str:
    return ", ".join(str(n) for n in range(1, number + 1) if number % n == 0)


def _check_retina(factors: tuple[int, ...], windows: tuple[int, ...]) -> None:
    if not factors or list(factors) != sorted(set(factors)):
        raise UserError(f"write the factors finest first, such as 1 4 16, got {quoted(factors)}", key="retina_factors")
    try:
        check_nested(factors)
    except UserError as error:
        raise error.under("retina_factors") from None
    if len(factors) - len(windows) not in (0, 1) or any(window < 1 for window in windows):
        raise UserError(
            f"one window of at least 1 unit for each factor, or for each but the coarsest: {len(factors) - 1} or "
            f"{len(factors)} for factors {quoted(factors)}, got {quoted(windows)}",
            key="retina_windows",
        )


MODEL_CHOICES = choices_of(ModelConfig)
"""The legal words of each option that is one of a few."""
