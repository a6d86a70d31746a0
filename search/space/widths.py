"""The widths that the scales of a branch may have: heads of one width must fit into each of them.

Heads are equally wide at every scale, d_model / n_heads, so every width that may be drawn must be a multiple of every
d_head that may be. A range ``4@16:96..192`` goes by d_head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from msarch.config.allocation import nearest
from msarch.errors import UserError
from search.space.values.allocations import AllocationRange
from search.space.values.branches import Branch, Parameter
from search.space.values.ranges import Range, Values
from search.space.values.stage_ranges import StageRange

MOST_TRIED = 20_000


def with_width_steps(branch: Branch) -> Branch:
    """The branch with every range of widths going by d_head. Raises UserError unless all widths fit every d_head."""
    if not any(stage.width for allocation in branch.layers for stage in allocation.stages):
        return branch
    d_heads = sorted(set(islice(_d_heads(branch), MOST_TRIED)))
    allocations = []
    for index, allocation in enumerate(branch.layers):
        try:
            stages = tuple(_checked(stage, allocation, branch, d_heads) for stage in allocation.stages)
        except UserError as error:
            place = f"[{index}]" if len(branch.layers) > 1 else ""
            raise error.under(f"{branch.path}.layers{place}") from None
        allocations.append(AllocationRange(stages))
    return replace(branch, layers=tuple(allocations))


def _d_heads(branch: Branch) -> Iterator[int]:
    """Every width that a head may have."""
    if "d_head" in branch.parameters:
        yield from each(branch.parameters["d_head"])
        return
    for d_model in each(branch.parameters["d_model"]):
        for n_heads in each(branch.parameters["n_heads"]):
            yield d_model // n_heads


def each(parameter: Parameter) -> Iterator[int]:
    """Every value of a whole number."""
    domain = parameter.domain
    if isinstance(domain, Values):
        yield from domain.values
    else:
        yield from range(domain.low, domain.high + 1, domain.step)


def _checked(stage: StageRange, allocation: AllocationRange, branch: Branch, d_heads: list[int]) -> StageRange:
    if stage.width is None:
        return stage
    d_model = branch.parameters["d_model"].domain
    if stage.factor == 1 and (stage.width.varies or d_model.varies or stage.width.smallest != d_model.smallest):
        raise UserError(
            f"'{allocation}': the states of factor 1 are d_model wide, which is {d_model}; write '{stage.counts}@1'"
        )
    if isinstance(stage.width, Range):
        if len(d_heads) > 1:
            raise UserError(
                f"'{stage}': a range of widths goes by d_head, which varies here; list the widths, such as "
                f"'{replace(stage, width=Values((stage.width.low, stage.width.high)))}'"
            )
        stage = replace(stage, width=replace(stage.width, step=d_heads[0]))
    assert stage.width is not None
    for d_head in d_heads:
        for width in (stage.width.smallest, stage.width.largest, stage.width.indivisible(d_head)):
            if width is not None and width % d_head:
                raise UserError(
                    f"'{stage}': heads are {d_head} wide (d_head, or d_model / n_heads), so {width} is not a whole "
                    f"number of heads; {nearest(width, d_head)}"
                )
    return stage
