"""Layer allocations with ranges, ``1..6@16 1..4@4 1..4@1``: every allocation that lies within is one candidate."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from msarch.config.allocation import (
    MOST_LAYERS,
    Stage,
    check_layers,
    check_nested,
    format_layers,
    one_stack,
    parse_layers,
)
from msarch.config.variants import VARIANTS, Variant
from msarch.errors import UserError, quoted
from search.space.values.ranges import Suggests

_STAGE = re.compile(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?@([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class StageRange:
    """`low` to `high` layers at `factor`."""

    low: int
    high: int
    factor: int

    def __str__(self) -> str:
        layers = f"{self.low}" if self.low == self.high else f"{self.low}..{self.high}"
        return f"{layers}@{self.factor}"


@dataclass(frozen=True, slots=True)
class AllocationRange:
    """The stages of one variant, in its order of computation, each with a range of layers."""

    stages: tuple[StageRange, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.stages))

    @property
    def factors(self) -> str:
        """The factors as they stand in Optuna's names: ``16-4-1``."""
        return "-".join(str(stage.factor) for stage in self.stages)

    @property
    def combinations(self) -> int:
        """How many allocations lie within."""
        return math.prod(stage.high - stage.low + 1 for stage in self.stages)

    @property
    def smallest(self) -> str:
        """The fewest layers everywhere."""
        return format_layers([Stage(stage.low, stage.factor) for stage in self.stages])

    @property
    def largest(self) -> str:
        """The most layers everywhere."""
        return format_layers([Stage(stage.high, stage.factor) for stage in self.stages])

    def names(self, prefix: str) -> list[str]:
        """Optuna's name for each stage: ``top_down/16-4-1/layers@4``; a factor's second stage ends in ``.post``."""
        names: list[str] = []
        for stage in self.stages:
            name = f"{prefix}/layers@{stage.factor}"
            while name in names:
                name += ".post"
            names.append(name)
        return names

    def suggest(self, trial: Suggests, prefix: str) -> str:
        """An allocation through Optuna's suggest API."""
        stages = []
        for stage, name in zip(self.stages, self.names(prefix), strict=True):
            fixed = stage.low == stage.high
            layers = stage.low if fixed else trial.suggest_int(name, stage.low, stage.high)
            stages.append(Stage(layers, stage.factor))
        return format_layers(stages)

    def accept(self, layers: str, prefix: str) -> dict[str, int] | None:
        """Optuna's parameters that lead to the allocation `layers`, or None where it does not lie within."""
        given = parse_layers(layers)
        if [stage.factor for stage in given] != [stage.factor for stage in self.stages]:
            return None
        if any(not own.low <= stage.layers <= own.high for own, stage in zip(self.stages, given, strict=True)):
            return None
        named = zip(self.names(prefix), self.stages, given, strict=True)
        return {name: stage.layers for name, own, stage in named if own.low != own.high}


def parse_allocation(text: object, name: str) -> AllocationRange:
    """The ranges of ``1..6@16 1..4@4 1..4@1``, checked for the variant `name`. Raises UserError."""
    variant = VARIANTS[name]
    if not isinstance(text, str) or not text.split():
        raise UserError(f"must be a layer allocation such as '{with_ranges(variant)}', got {quoted(text)}")
    allocation = AllocationRange(tuple(_parse_stage(word, text) for word in text.split()))
    _check_order(allocation, variant, name)
    for written in (allocation.smallest, allocation.largest):
        try:
            check_layers(parse_layers(written), variant.order, name)
        except UserError as error:
            if written == str(allocation):
                raise
            raise UserError(f"{quoted(str(allocation))} admits {error.message}", key=error.key) from None
    return allocation


def parse_alternatives(raw: object, name: str) -> tuple[AllocationRange, ...]:
    """One allocation, or a list of alternatives. Raises UserError with the index as its key."""
    if not isinstance(raw, list):
        return (parse_allocation(raw, name),)
    if not raw:
        raise UserError("must hold at least one allocation, got an empty list")
    alternatives: list[AllocationRange] = []
    for index, text in enumerate(raw):
        try:
            allocation = parse_allocation(text, name)
        except UserError as error:
            raise error.under(f"[{index}]") from None
        if allocation in alternatives:
            raise UserError(f"{quoted(str(allocation))} is given twice", key=f"[{index}]")
        alternatives.append(allocation)
    return tuple(alternatives)


def _parse_stage(word: str, text: str) -> StageRange:
    match = _STAGE.fullmatch(word)
    if match is None:
        raise UserError(
            f"{quoted(word)} is not a stage; write LAYERS@FACTOR, such as '4@1' or '1..6@4', in {quoted(text)}"
        )
    low, high, factor = int(match[1]), int(match[2] or match[1]), int(match[3])
    if factor < 1:
        raise UserError(f"a shortening factor is at least 1, got {quoted(word)}")
    if low > high:
        raise UserError(f"{quoted(word)}: {low} is above {high}; did you mean '{high}..{low}@{factor}'?")
    if high > MOST_LAYERS:
        raise UserError(f"{quoted(word)}: at most {MOST_LAYERS} layers in a stage")
    return StageRange(low, high, factor)


def _check_order(allocation: AllocationRange, variant: Variant, name: str) -> None:
    """Refuses another order than the variant's, with the allocation that was meant, its ranges kept."""
    if variant.order is not one_stack:
        check_nested([stage.factor for stage in allocation.stages])
    expected = _in_order(allocation, variant.order)
    if expected == allocation:
        return
    rule = "is one stack of layers at every token" if variant.order is one_stack else "computes in another order"
    raise UserError(f"{quoted(str(allocation))}: {name} {rule}; did you mean '{expected}'?")


def _in_order(allocation: AllocationRange, order: Callable[[tuple[Stage, ...]], tuple[Stage, ...]]) -> AllocationRange:
    # An order moves and adds up stages. One bit a stage shows afterwards which went where.
    marked = order(tuple(Stage(1 << index, stage.factor) for index, stage in enumerate(allocation.stages)))
    stages = []
    for mark in marked:
        sources = [stage for index, stage in enumerate(allocation.stages) if mark.layers >> index & 1]
        stages.append(StageRange(sum(s.low for s in sources), sum(s.high for s in sources), mark.factor))
    return AllocationRange(tuple(stages))


def with_ranges(variant: Variant) -> str:
    """The variant's example with a range for each stage."""
    return re.sub(r"([0-9]+)@", r"1..\g<1>@", variant.example)
