"""Layer allocations with ranges, ``1..6@16 1..4@4:{96,128} 1@1``: every allocation that lies within is a candidate."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msarch.config.allocation import Stage, check_nested, format_layers, parse_layers, widths_given
from msarch.config.orders import check_layers, one_stack
from msarch.config.variants import VARIANTS, Variant
from msarch.errors import UserError, quoted
from search.space.values.ranges import Domain, Suggests
from search.space.values.stage_ranges import StageRange, parse_stages, summed


@dataclass(frozen=True, slots=True)
class AllocationRange:
    """The stages of one variant, in its order of computation, each with ranges of its numbers."""

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
        return math.prod(numbers.combinations or 1 for _, numbers in self.domains(""))

    @property
    def smallest(self) -> str:
        """The fewest layers everywhere, as narrow as they may be."""
        return format_layers([stage.smallest for stage in self.stages])

    @property
    def largest(self) -> str:
        """The most layers everywhere, as wide as they may be."""
        return format_layers([stage.largest for stage in self.stages])

    def names(self, prefix: str) -> list[str]:
        """Optuna's name for each stage's layers with attention: ``top_down/16-4-1/layers@4``; a factor's second stage
        ends in ``.post``.
        """
        names: list[str] = []
        for stage in self.stages:
            name = f"{prefix}/layers@{stage.factor}"
            while name in names:
                name += ".post"
            names.append(name)
        return names

    def domains(self, prefix: str) -> Iterator[tuple[str, Domain]]:
        """Optuna's name for each number of each stage, and what it may be: ``.../layers@4``, ``.../ff_layers@4`` and
        ``.../width@4``.
        """
        for stage, name in zip(self.stages, self.names(prefix), strict=True):
            yield name, stage.attention_layers
            yield ff_name(name), stage.ff_layers
            if stage.width:
                yield width_name(prefix, stage.factor), stage.width

    def suggest(self, trial: Suggests, prefix: str) -> str:
        """An allocation through Optuna's suggest API."""
        stages = []
        for stage, name in zip(self.stages, self.names(prefix), strict=True):
            attention_layers, ff_layers = (
                stage.attention_layers.suggest(trial, name),
                stage.ff_layers.suggest(trial, ff_name(name)),
            )
            width = stage.width.suggest(trial, width_name(prefix, stage.factor)) if stage.width else 0
            stages.append(stage.stage(attention_layers, ff_layers, width))
        return format_layers(stages)

    def accept(self, layers: str, prefix: str) -> dict[str, int] | None:
        """Optuna's parameters that lead to the allocation `layers`, or None where it does not lie within.

        A width that `layers` leaves out is left open.
        """
        given = parse_layers(layers)
        if [stage.factor for stage in given] != [stage.factor for stage in self.stages]:
            return None
        widths = widths_given(given)
        params: dict[str, int] = {}
        try:
            for own, stage, name in zip(self.stages, given, self.names(prefix), strict=True):
                params |= own.attention_layers.accept(stage.attention_layers, name)
                params |= own.ff_layers.accept(stage.ff_layers, ff_name(name))
                if own.width and own.factor in widths:
                    params |= own.width.accept(widths.pop(own.factor), width_name(prefix, own.factor))
        except UserError:
            return None
        return None if widths else params


def ff_name(name: str) -> str:
    """Optuna's name for a stage's layers without attention, from that for those with it."""
    return name.replace("/layers@", "/ff_layers@")


def width_name(prefix: str, factor: int) -> str:
    """Optuna's name for the width of a scale: ``top_down/16-4-1/width@4``."""
    return f"{prefix}/width@{factor}"


def parse_allocation(text: object, name: str) -> AllocationRange:
    """The ranges of ``1..6@16 1..4@4 1..4@1``, checked for the variant `name`. Raises UserError."""
    variant = VARIANTS[name]
    if not isinstance(text, str) or not text.split():
        raise UserError(f"must be a layer allocation such as '{with_ranges(variant)}', got {quoted(text)}")
    allocation = AllocationRange(parse_stages(text))
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
        stages.append(summed(sources, mark.factor))
    return AllocationRange(tuple(stages))


def with_ranges(variant: Variant) -> str:
    """The variant's example with a range for each stage."""
    return re.sub(r"([0-9]+)@", r"1..\g<1>@", variant.example)
