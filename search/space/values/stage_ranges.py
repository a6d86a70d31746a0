"""One stage of an allocation with ranges: ``1..6@4``, ``{2,4,8}@4``, ``1..2+0..4ff@4``, ``1..6@4:{128,192}``.

Each number may be a range or a list in braces: how many layers run, how many feed-forward ones after them, and how wide
the states of the scale are. The counts are independent, so each combination of them is an allocation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msarch.config.allocation import MOST_LAYERS, Stage
from msarch.errors import UserError, quoted
from search.space.values.ranges import Domain, Range, Values

_NUMBERS = r"[0-9]{1,9}(?:\.\.[0-9]{1,9})?|\{[0-9]{1,9}(?:,[0-9]{1,9})*\}"
_STAGE = re.compile(rf"(?:({_NUMBERS})|(?:({_NUMBERS})\+)?({_NUMBERS})ff)@([0-9]{{1,9}})(?::({_NUMBERS}))?")
_NONE = Values((0,))
_BRACES = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class StageRange:
    """What one stage may be.

    Attributes:
        attention_layers: how many layers with attention; they come first.
        factor: the shortening factor.
        width: of the states; None stands for d_model.
        ff_layers: how many layers without attention.
    """

    attention_layers: Domain
    factor: int
    width: Domain | None = None
    ff_layers: Domain = _NONE

    def __str__(self) -> str:
        width = f":{_written(self.width)}" if self.width else ""
        return f"{self.counts}@{self.factor}{width}"

    @property
    def counts(self) -> str:
        """How many layers, as written: ``1..6``, ``1..2+0..4ff``."""
        if self.ff_layers == _NONE:
            return _written(self.attention_layers)
        with_attention = "" if self.attention_layers == _NONE else f"{_written(self.attention_layers)}+"
        return f"{with_attention}{_written(self.ff_layers)}ff"

    @property
    def smallest(self) -> Stage:
        """The fewest layers, as narrow as they may be."""
        width = self.width.smallest if self.width else 0
        return self.stage(self.attention_layers.smallest, self.ff_layers.smallest, width)

    @property
    def largest(self) -> Stage:
        """The most layers, as wide as they may be."""
        width = self.width.largest if self.width else 0
        return self.stage(self.attention_layers.largest, self.ff_layers.largest, width)

    def stage(self, attention_layers: int, ff_layers: int, width: int) -> Stage:
        """The stage with these numbers."""
        return Stage(attention_layers + ff_layers, self.factor, width, ff_layers)


def parse_stages(text: str) -> tuple[StageRange, ...]:
    """The stages of ``1..6@16:{128,192} 2@1``, a scale's width at its first stage. Raises UserError."""
    words = _BRACES.sub(lambda braces: "".join(braces[0].split()), text).split()
    return _each_width_once([_parse_stage(word, text) for word in words], text)


def summed(stages: Sequence[StageRange], factor: int) -> StageRange:
    """As many layers as these stages have together, at one factor."""
    width = next((stage.width for stage in stages if stage.width and stage.factor == factor), None)
    attention_layers = _sum([stage.attention_layers for stage in stages])
    return StageRange(attention_layers, factor, width, _sum([stage.ff_layers for stage in stages]))


def _sum(counts: Sequence[Domain]) -> Domain:
    varying = [count for count in counts if count != _NONE]
    if len(varying) == 1:
        return varying[0]
    return _between(sum(count.smallest for count in varying), sum(count.largest for count in varying))


def _written(numbers: Domain) -> str:
    if isinstance(numbers, Range):
        return f"{numbers.low}..{numbers.high}"
    listed = ",".join(map(str, numbers.values))
    return f"{{{listed}}}" if numbers.varies else listed


def _parse_stage(word: str, text: str) -> StageRange:
    match = _STAGE.fullmatch(word)
    if match is None:
        raise UserError(
            f"{quoted(word)} is not a stage; write LAYERS@FACTOR, such as '4@1', '1..6@4', '1..2+0..4ff@4' or "
            f"'1..6@4:{{128,192}}', in {quoted(text)}"
        )
    attention_layers, ff_layers, width = (
        _parse_numbers(numbers, word) if numbers else None for numbers in (match[1] or match[2], match[3], match[5])
    )
    stage = StageRange(attention_layers or _NONE, int(match[4]), width, ff_layers or _NONE)
    if stage.factor < 1:
        raise UserError(f"a shortening factor is at least 1, got {quoted(word)}")
    if stage.largest.layers > MOST_LAYERS:
        raise UserError(f"{quoted(word)}: at most {MOST_LAYERS} layers in a stage")
    if stage.width and stage.width.smallest < 1:
        raise UserError(f"a width is at least 1, got {quoted(word)}")
    return stage


def _parse_numbers(numbers: str, word: str) -> Domain:
    if numbers.startswith("{"):
        values = [int(number) for number in numbers[1:-1].split(",")]
        for value in values:
            if values.count(value) > 1:
                raise UserError(f"{quoted(word)}: {value} is given twice")
        return Values(tuple(values))
    low, _, high = numbers.partition("..")
    if int(low) > int(high or low):
        raise UserError(
            f"{quoted(word)}: {low} is above {high}; did you mean '{word.replace(numbers, f'{high}..{low}')}'?"
        )
    return _between(int(low), int(high or low))


def _between(low: int, high: int) -> Domain:
    return Values((low,)) if low == high else Range(low, high, 1)


def _each_width_once(stages: Sequence[StageRange], text: str) -> tuple[StageRange, ...]:
    widths: dict[int, Domain] = {}
    for stage in stages:
        if stage.width and widths.setdefault(stage.factor, stage.width) != stage.width:
            raise UserError(
                f"{quoted(text)}: factor {stage.factor} has one width, but {_written(widths[stage.factor])} and "
                f"{_written(stage.width)} are given"
            )
    return tuple(replace(stage, width=widths.pop(stage.factor, None)) for stage in stages)
