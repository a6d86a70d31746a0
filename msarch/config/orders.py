"""The orders of computation: each variant has one legal order of its stages.

Another order is refused, and the error shows the string that was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msarch.config.allocation import Stage, check_nested, format_layers
from msarch.errors import UserError, quoted

Order = Callable[[tuple[Stage, ...]], tuple[Stage, ...]]
"""Maps any stages to the same layers in a variant's order of computation."""


def one_stack(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``14@1``: every layer reads every token (vanilla, retina)."""
    layers, ff_layers = (sum(getattr(stage, name) for stage in stages) for name in ("layers", "ff_layers"))
    return (Stage(layers, 1, _at(1, stages).width, ff_layers),)


def coarse_to_fine(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``12@16 9@4 9@1``: each scale once, the coarsest first (top-down)."""
    return tuple(_at(factor, stages) for factor in sorted(_factors(stages), reverse=True))


def fine_to_coarse_and_back(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``4@1 9@4 12@16 5@1``: up the scales, then the fine layers after the aggregation (bottom-up)."""
    fine = [stage for stage in stages if stage.factor == 1]
    up = tuple(_at(factor, stages) for factor in sorted(_factors(stages)) if factor > 1)
    before, after = (fine[0], _at(1, fine[1:])) if len(fine) > 1 else (Stage(0, 1), _at(1, fine))
    return (before, *up, after) if up or len(fine) > 1 else (after,)


def there_and_back(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``2@1 1@2 4@4 1@2 2@1``: down to the coarsest scale and back through the same factors (hourglass).

    The factors mirror; the layers before and after need not be as many, as in the ablations of the paper.
    """
    coarsest = max(_factors(stages))
    turn = next(index for index, stage in enumerate(stages) if stage.factor == coarsest)
    before, after = stages[:turn], stages[turn:]
    finer = sorted(_factors(stages) - {coarsest})
    down = tuple(_at(factor, before) for factor in finer)
    up = tuple(_at(factor, after) for factor in reversed(finer))
    return (*down, _at(coarsest, after), *up)


def fine_coarse_fine(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """``2@1 6@5 2@1``: fine layers, layers at one coarse scale, fine layers (spacebyte)."""
    return there_and_back(stages)


def _factors(stages: Sequence[Stage]) -> set[int]:
    return {stage.factor for stage in stages}


def _at(factor: int, stages: Sequence[Stage]) -> Stage:
    """All layers of these stages at that factor, as one stage."""
    here = [stage for stage in stages if stage.factor == factor]
    width = max((stage.width for stage in here), default=0)
    return Stage(sum(stage.layers for stage in here), factor, width, sum(stage.ff_layers for stage in here))


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
    if order is fine_coarse_fine and stages[-1].attention_layers == 0:
        raise UserError(
            f"{quoted(written)}: {variant} ends in fine layers with attention, where later bytes read the coarse states"
        )
    for stage in stages:
        if _at(stage.factor, stages).layers == 0 and stage.factor > 1:
            raise UserError(f"{quoted(written)}: {stage} runs no layer at factor {stage.factor}; leave that stage out")
    # The Hourglass paper measures models without any fine layer, whose fine stream still carries each token.
    may_lack_fine_layers = order is there_and_back and len(stages) > 1
    if not _at(1, stages).attention_layers and not may_lack_fine_layers:
        raise UserError(
            f"{quoted(written)}: at least one layer must run at factor 1, and with attention, or tokens of a "
            "block never mix"
        )
    if not any(stage.attention_layers for stage in stages):
        raise UserError(
            f"{quoted(written)}: no layer has attention, so blocks never mix; write '1+1ff' in place of '2ff'"
        )
