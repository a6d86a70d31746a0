"""Layer allocations: how many layers run at each scale, ``12@16 9@4 9@1``, in the order of computation.

A stage is ``LAYERS@FACTOR``: that many layers on a sequence shortened by the factor. Each variant has one
legal order; another is refused, and the error shows the string that was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from msarch.errors import UserError, quoted, shortened

MOST_LAYERS = 1000
"""In a stage."""
_STAGE = re.compile(r"([0-9]{1,9})@([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Stage:
    """`layers` layers run on a sequence shortened by `factor`."""

    layers: int
    factor: int

    def __str__(self) -> str:
        return f"{self.layers}@{self.factor}"


def parse_layers(text: object) -> tuple[Stage, ...]:
    """The stages of ``12@16 9@4 9@1``. Raises UserError where the text is not an allocation."""
    if not isinstance(text, str) or not text.split():
        raise UserError(f"{quoted(text)} is not a layer allocation; write LAYERS@FACTOR stages, such as '6@4 2@1'")
    stages = []
    for word in text.split():
        match = _STAGE.fullmatch(word)
        if match is None:
            raise UserError(f"{quoted(word)} is not a stage; write LAYERS@FACTOR, such as '6@4', in {quoted(text)}")
        if int(match[2]) < 1:
            raise UserError(f"a shortening factor is at least 1, got {quoted(word)} in {quoted(text)}")
        if int(match[1]) > MOST_LAYERS:
            raise UserError(f"{quoted(word)}: at most {MOST_LAYERS} layers in a stage")
        stages.append(Stage(int(match[1]), int(match[2])))
    return tuple(stages)


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


Order = Callable[[tuple[Stage, ...]], tuple[Stage, ...]]
"""Maps any stages to the same layers in a variant's order of computation."""


def one_stack(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``14@1``: every layer reads every token (vanilla, retina)."""
    return (Stage(sum(stage.layers for stage in stages), 1),)


def coarse_to_fine(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``12@16 9@4 9@1``: each scale once, the coarsest first (top-down)."""
    return tuple(Stage(layers, factor) for factor, layers in sorted(_by_factor(stages).items(), reverse=True))


def fine_to_coarse_and_back(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``4@1 9@4 12@16 5@1``: up the scales, then the fine layers after the aggregation (bottom-up)."""
    layers = _by_factor(stages)
    fine = [stage.layers for stage in stages if stage.factor == 1]
    up = tuple(Stage(layers[factor], factor) for factor in sorted(layers) if factor > 1)
    before, after = (fine[0], sum(fine[1:])) if len(fine) > 1 else (0, sum(fine))
    if not up:
        return (Stage(before, 1), Stage(after, 1)) if len(fine) > 1 else (Stage(after, 1),)
    return (Stage(before, 1), *up, Stage(after, 1))


def there_and_back(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``2@1 1@2 4@4 1@2 2@1``: down to the coarsest scale and back through the same factors (hourglass).

    The factors mirror; the layers before and after need not be as many, as in the ablations of the paper.
    """
    coarsest = max(stage.factor for stage in stages)
    turn = next(index for index, stage in enumerate(stages) if stage.factor == coarsest)
    before, after = _by_factor(stages[:turn]), _by_factor(stages[turn:])
    finer = sorted({stage.factor for stage in stages} - {coarsest})
    down = tuple(Stage(before.get(factor, 0), factor) for factor in finer)
    up = tuple(Stage(after.get(factor, 0), factor) for factor in reversed(finer))
    return (*down, Stage(after[coarsest], coarsest), *up)


def fine_coarse_fine(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``2@1 6@5 2@1``: fine layers, layers at one coarse scale, fine layers (spacebyte)."""
    return there_and_back(stages)


def _by_factor(stages: tuple[Stage, ...]) -> dict[int, int]:
    layers: dict[int, int] = {}
    for stage in stages:
        layers[stage.factor] = layers.get(stage.factor, 0) + stage.layers
    return layers


def check_layers(stages: tuple[Stage, ...], order: Order, variant: str) -> None:
    """Raises UserError unless `stages` nest, follow the variant's order and leave no scale without layers."""
    factors = [stage.factor for stage in stages]
    written, meant = format_layers(stages), order(stages)
    if order is one_stack and factors != [1]:
        raise UserError(
            f"{quoted(written)}: {variant} is one stack of layers at every token, write '{format_layers(meant)}'"
        )
    check_nested(factors)
    if meant != stages:
        raise UserError(
            f"{quoted(written)} is not in the order of computation of {variant}; did you mean '{format_layers(meant)}'?"
        )
    if order is fine_coarse_fine and len({*factors}) > 2:
        raise UserError(f"{quoted(written)}: {variant} has one coarse scale; write it like '2@1 6@5 2@1'")
    if order is fine_coarse_fine and stages[-1].layers == 0:
        raise UserError(f"{quoted(written)}: {variant} ends in fine layers, where later bytes read the coarse states")
    layers = _by_factor(stages)
    for stage in stages:
        if layers[stage.factor] == 0 and stage.factor > 1:
            raise UserError(f"{quoted(written)}: {stage} runs no layer at factor {stage.factor}; leave that stage out")
    # The Hourglass paper measures models without any fine layer, whose fine stream still carries each token.
    may_lack_fine_layers = order is there_and_back and len(stages) > 1
    if not layers[1] and not may_lack_fine_layers:
        raise UserError(f"{quoted(written)}: at least one layer must run at factor 1, or tokens of a block never mix")
