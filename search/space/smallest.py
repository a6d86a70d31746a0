"""The smallest candidates of a space: one for each combination of its words, with every number at its cheapest.

Fewer layers, narrower states and smaller batches always take less. Words have no such order: which of two kernels
or poolings takes less memory depends on the model, and what saves memory may cost parameters. So all of their
combinations are given, the likely smallest ones first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from msarch.config import MODEL_CHOICES, TRAINING_CHOICES
from msarch.config.candidate import Candidate
from search.space.space import Space
from search.space.values.allocations import width_name
from search.space.values.branches import Branch, Parameter
from search.space.values.ranges import Range

MOST_COMBINATIONS = 200
"""Beyond this many combinations it would take minutes to profile them."""

LIKELY_CHEAP = frozenset({"fused", "chunked", "block", "bfloat16", "average", "repeat", "none", "add"})
"""Words that often take less than their alternatives: only the order of the candidates rests on them."""

Choices = dict[str, Sequence[Any]]
"""By the name that Optuna knows: what is to be tried."""


def smallest_candidates(space: Space) -> list[Candidate]:
    """The smallest candidate for each combination of words; none where there are more than MOST_COMBINATIONS.

    Each candidate of the space is at least as large, in every figure that can be limited, as one of these.
    """
    choices = {name: _choices(space, branch) for name, branch in space.branches.items()}
    if sum(math.prod(map(len, each.values())) for each in choices.values()) > MOST_COMBINATIONS:
        return []
    candidates = [
        space.suggest(CheapestTrial({"variant": name, **chosen}))
        for name, each in choices.items()
        for chosen in _combinations(each)
    ]
    return sorted(candidates, key=_likely_size)


def _choices(space: Space, branch: Branch) -> Choices:
    choices: Choices = {}
    if len(branch.layers) > 1:
        choices[f"{branch.variant}/layers"] = [str(allocation) for allocation in branch.layers]
    choices |= _widths_tried(branch)
    for parameter in (*branch.parameters.values(), *space.training.values()):
        if parameter.domain.varies and (tried := _tried(parameter)) is not None:
            choices[parameter.name] = tried
    return choices


def _widths_tried(branch: Branch) -> Choices:
    """For each scale the narrowest width, and that of the tokens, at which a model does without projections."""
    d_model = branch.parameters["d_model"].domain.smallest
    return {
        width_name(prefix, stage.factor): (stage.width.smallest, d_model)
        for allocation, prefix in zip(branch.layers, branch.prefixes(), strict=True)
        for stage in allocation.stages
        if stage.width and stage.width.smallest < d_model and stage.width.holds(d_model)
    }


def _tried(parameter: Parameter) -> Sequence[Any] | None:
    """The values of which any may be the cheapest; None where that is the least number."""
    domain = parameter.domain
    if parameter.key == "d_head":
        return (domain.largest,)  # wider heads are fewer, and each has scores and sums of its own
    if isinstance(domain, Range):
        if parameter.key != "context":
            return None
        return range(domain.low, domain.high + 1, domain.step)
    # A context that cuts off its last, incomplete block has fewer coarse states to a token than one that does not.
    return None if domain.numeric and parameter.key != "context" else domain.labels


def _combinations(choices: Choices) -> Iterator[dict[str, Any]]:
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def _likely_size(candidate: Candidate) -> tuple[int, float]:
    model, training = candidate.model, candidate.training
    words = [getattr(model, name) for name in MODEL_CHOICES] + [getattr(training, name) for name in TRAINING_CHOICES]
    expensive = sum(word not in LIKELY_CHEAP for word in words)
    return expensive, sum(stage.layers / stage.factor * model.width_at(stage.factor) for stage in model.stages)


class CheapestTrial:
    """Answers Optuna's suggest API with what `chosen` says, else with the least number: no study is needed."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self._chosen = chosen

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The chosen value, or the least."""
        return self._chosen[name] if name in self._chosen else min(choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The chosen value, or the lower end."""
        return int(self._chosen.get(name, low))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The chosen value, or the lower end."""
        return float(self._chosen.get(name, low))
