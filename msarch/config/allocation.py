"""Layer allocations: how many layers run at each scale, ``12@16 9@4 9@1``, in the order of computation.

A stage is ``LAYERS@FACTOR``: that many layers on a sequence shortened by the factor. ``2+4ff@16`` are six layers, the
last four feed-forward only, without attention; ``4ff@16`` are four of these alone. ``4@16:192`` also says how wide the
states of that scale are; where no width is given they are d_model wide, and those of factor 1 always are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from msarch.errors import UserError, quoted, shortened

MOST_LAYERS, WIDEST = 1000, 2**20
"""In a stage; above these no machine could train a model."""
_STAGE = re.compile(r"(?:([0-9]{1,9})|(?:([0-9]{1,9})\+)?([0-9]{1,9})ff)@([0-9]{1,9})(?::([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers that run one after another on a sequence shortened by `factor`.

    Attributes:
        layers: all of them.
        factor: how many tokens a state stands for.
        width: of each state; 0 stands for d_model.
        ff_layers: how many of the layers, the last ones, are feed-forward only.
    """

    layers: int
    factor: int
    width: int = 0
    ff_layers: int = 0

    @property
    def attention_layers(self) -> int:
        """How many of the layers, the first ones, have attention."""
        return self.layers - self.ff_layers

    def __str__(self) -> str:
        counts = [f"{self.attention_layers}"] if self.attention_layers or not self.ff_layers else []
        counts += [f"{self.ff_layers}ff"] if self.ff_layers else []
        return f"{'+'.join(counts)}@{self.factor}" + (f":{self.width}" if self.width else "")


def parse_layers(text: object) -> tuple[Stage, ...]:
    """The stages of ``12@16 9@4 9@1``. Raises UserError where the text is not an allocation."""
    if not isinstance(text, str) or not text.split():
        raise UserError(f"{quoted(text)} is not a layer allocation; write LAYERS@FACTOR stages, such as '6@4 2@1'")
    return tuple(_parse_stage(word, text) for word in text.split())


def _parse_stage(word: str, text: str) -> Stage:
    match = _STAGE.fullmatch(word)
    if match is None:
        raise UserError(
            f"{quoted(word)} is not a stage; write LAYERS@FACTOR, such as '6@4', '2+4ff@4' or '6@4:128', "
            f"in {quoted(text)}"
        )
    all_attend, first, ff_layers, factor, width = (int(number or 0) for number in match.groups())
    if factor < 1:
        raise UserError(f"a shortening factor is at least 1, got {quoted(word)} in {quoted(text)}")
    if match[5] and width < 1:
        raise UserError(f"a width is at least 1, got {quoted(word)} in {quoted(text)}")
    if all_attend + first + ff_layers > MOST_LAYERS:
        raise UserError(f"{quoted(word)}: at most {MOST_LAYERS} layers in a stage")
    if width > WIDEST:
        raise UserError(f"{quoted(word)}: a width is at most {WIDEST:,}")
    return Stage(all_attend + first + ff_layers, factor, width, ff_layers)


def format_layers(stages: Sequence[Stage]) -> str:
    """The allocation as text: ``12@16 9@4 9@1``."""
    return " ".join(map(str, stages))


def check_nested(factors: Sequence[int]) -> None:
    """Each factor is a multiple of the next smaller one, and the smallest is 1. Raises UserError."""
    ordered = sorted(set(factors))
    written = shortened(", ".join(map(str, ordered)))
    if not ordered or ordered[0] != 1:
        raise UserError(f"{written or 'no factors'}: the finest scale has factor 1; add a stage '@1'")
    for finer, coarser in pairwise(ordered):
        if coarser % finer:
            raise UserError(f"{written}: {coarser} is not a multiple of {finer}; factors must nest, such as 1, 4, 16")


def widths_given(stages: Sequence[Stage]) -> dict[int, int]:
    """The width of each factor that has one, given at any of its stages. Raises UserError where two differ."""
    widths: dict[int, int] = {}
    for stage in stages:
        if stage.width and widths.setdefault(stage.factor, stage.width) != stage.width:
            raise UserError(
                f"{quoted(format_layers(stages))}: factor {stage.factor} has one width, but {widths[stage.factor]} and "
                f"{stage.width} are given"
            )
    return widths


def check_widths(stages: Sequence[Stage], d_model: int, d_head: int) -> None:
    """Raises UserError unless each scale is a whole number of heads wide, and the finest one as wide as d_model."""
    for factor, width in widths_given(stages).items():
        if factor == 1 and width != d_model:
            raise UserError(
                f"{quoted(format_layers(stages))}: the states of factor 1 are d_model wide, which is {d_model}; leave "
                f"out ':{width}', or choose d_model {width}"
            )
        if width % d_head:
            raise UserError(
                f"{quoted(format_layers(stages))}: heads are {d_head} wide (d_model / n_heads), so the width {width} "
                f"at factor {factor} is not a whole number of heads; {nearest(width, d_head)}"
            )


def nearest(width: int, d_head: int) -> str:
    """The widths around this one that are a whole number of heads."""
    below = width // d_head * d_head
    return f"the nearest widths are {below} and {below + d_head}" if below else f"the nearest width is {d_head}"


def in_one_spelling(stages: Sequence[Stage], d_model: int) -> tuple[Stage, ...]:
    """The same allocation with each width once, at the factor's first stage, and none that is d_model anyway."""
    widths = {factor: width for factor, width in widths_given(stages).items() if width != d_model}
    return tuple(replace(stage, width=widths.pop(stage.factor, 0)) for stage in stages)
