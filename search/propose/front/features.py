"""What an architecture is made of and how it is trained, as numbers that a model of the loss can learn from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msarch.config.candidate import Candidate

_COUNTED = ("parameters", "parameters_embedding", "flops_per_token")
"""Figures of a profile that say more of a model's quality than its fields do."""

_TRAINING = "training."
"""How the names of features begin that say how a model is trained, and not what it is."""

Feature = float | str


def features(candidate: Candidate, profile: Mapping[str, Any]) -> Mapping[str, Feature]:
    """Every field of a candidate, its layers by scale, and what it costs; numbers that span scales as logarithms."""
    return _features(candidate, tuple((key, profile[key]) for key in _COUNTED if profile.get(key)))


@lru_cache(maxsize=8192)  # each choice asks for those of all trials again
def _features(candidate: Candidate, counted: tuple[tuple[str, float], ...]) -> Mapping[str, Feature]:
    stages = candidate.model.stages
    found: dict[str, Feature] = {f"model.{key}": _feature(value) for key, value in _fields(candidate.model)}
    found |= {f"training.{key}": _feature(value) for key, value in _fields(candidate.training)}
    found["model.layers"] = 0.0  # said by the figures below
    for factor in {stage.factor for stage in stages}:
        found[f"layers at {factor}"] = math.log1p(sum(stage.layers for stage in stages if stage.factor == factor))
        found[f"width at {factor}"] = math.log(candidate.model.width_at(factor) / candidate.model.d_model)
    found["layers without attention"] = math.log1p(sum(stage.ff_layers for stage in stages))
    found["depth"] = math.log1p(sum(stage.layers for stage in stages))
    found["coarse layers"] = math.log1p(sum(stage.layers for stage in stages if stage.factor > 1))
    found["fine layers"] = math.log1p(sum(stage.layers for stage in stages if stage.factor == 1))
    found |= {key: math.log(figure) for key, figure in counted}
    # The best rate falls about as the width grows (arXiv 2203.03466), so their product says what neither says alone.
    found[f"{_TRAINING}learning_rate x width"] = math.log(candidate.training.learning_rate * candidate.model.d_model)
    return MappingProxyType(found)


def _fields(config: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(config, name)) for name in config.__dataclass_fields__]


def _feature(value: Any) -> Feature:
    """A number as a logarithm where it is positive, anything else by its text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return math.log(value) if value > 0 else float(value)


@dataclass(frozen=True)
class _Range:
    """A column for a number: 0 at the lowest that was seen, 1 at the highest."""

    name: str
    low: float
    high: float

    def of(self, item: Mapping[str, Feature]) -> float:
        return (float(item.get(self.name, 0.0)) - self.low) / (self.high - self.low)


SWAP = math.sqrt(0.5)
"""Of a label's column: so another label, which changes two columns, is as far as a number's other end."""


@dataclass(frozen=True)
class _Label:
    """A column for a text: `SWAP` where a feature has it, else 0."""

    name: str
    label: str

    def of(self, item: Mapping[str, Feature]) -> float:
        return SWAP * (str(item.get(self.name, 0.0)) == self.label)


class Encoder:
    """Turns features into columns between 0 and 1; what never differs gets none.

    Args:
        seen: the features of all candidates that will be asked for, or a sample that spans them.

    Attributes:
        training: how many columns say how a model is trained; they come before all others.
    """

    def __init__(self, seen: Sequence[Mapping[str, Feature]]) -> None:
        names = sorted({name for one in seen for name in one}, key=lambda name: (not name.startswith(_TRAINING), name))
        self._columns = [column for name in names for column in _columns(name, [one.get(name, 0.0) for one in seen])]
        self.training = sum(column.name.startswith(_TRAINING) for column in self._columns)

    def matrix(self, items: Sequence[Mapping[str, Feature]]) -> NDArray[np.float64]:
        """(items, columns)"""
        rows = [[column.of(item) for column in self._columns] for item in items]
        return np.array(rows, dtype=float).reshape(len(items), self.width)

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self._columns)


def _columns(name: str, values: Sequence[Feature]) -> Iterator[_Range | _Label]:
    """The columns of one feature: a range for numbers, one a text otherwise; none where all values are the same."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        labels = sorted({str(value) for value in values})
        yield from (_Label(name, label) for label in labels if len(labels) > 1)
    elif max(numbers) > min(numbers):
        yield _Range(name, min(numbers), max(numbers))
