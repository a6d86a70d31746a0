"""What an architecture is made of, as numbers that a model of the loss can learn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msarch.config.candidate import Candidate

_COUNTED = ("parameters", "parameters_embedding", "flops_per_token")
"""Figures of a profile that say more of a model's quality than its fields do."""

Feature = float | str


def features(candidate: Candidate, profile: Mapping[str, Any]) -> dict[str, Feature]:
    """Every field of a candidate, its layers by scale, and what it costs; numbers that span scales as logarithms."""
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
    found |= {key: math.log(profile[key]) for key in _COUNTED if profile.get(key)}
    return found


def _fields(config: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(config, name)) for name in config.__dataclass_fields__]


def _feature(value: Any) -> Feature:
    """A number as a logarithm where it is positive, anything else by its text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return math.log(value) if value > 0 else float(value)


class Encoder:
    """Turns features into columns between 0 and 1; what never differs gets none.

    Args:
        seen: the features of all candidates that will be asked for, or a sample that spans them.
    """

    def __init__(self, seen: Sequence[Mapping[str, Feature]]) -> None:
        self._ranges: dict[str, tuple[float, float]] = {}
        self._labels: dict[str, list[str]] = {}
        for name in sorted({name for one in seen for name in one}):
            values = [one.get(name, 0.0) for one in seen]
            numbers = [value for value in values if not isinstance(value, str)]
            if len(numbers) < len(values):
                labels = sorted({str(value) for value in values})
                self._labels |= {name: labels} if len(labels) > 1 else {}
            elif max(numbers) > min(numbers):
                self._ranges[name] = min(numbers), max(numbers)

    def matrix(self, items: Sequence[Mapping[str, Feature]]) -> NDArray[np.float64]:
        """(items, columns)"""
        return np.array([self._row(item) for item in items], dtype=float).reshape(len(items), self.width)

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self._ranges) + sum(len(labels) for labels in self._labels.values())

    def _row(self, item: Mapping[str, Feature]) -> list[float]:
        row = [(float(item.get(name, 0.0)) - low) / (high - low) for name, (low, high) in self._ranges.items()]
        for name, labels in self._labels.items():
            row += [float(str(item.get(name, 0.0)) == label) for label in labels]
        return row
