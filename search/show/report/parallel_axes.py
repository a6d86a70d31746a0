"""The axes of parallel coordinates: where each trial stands on each option and figure, from 0 to 1, and the ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.columns import COLUMNS
from search.results.importance import LOG_SCALE
from search.results.layer_options import layer_options
from search.results.tables import independent_options, trial_row
from search.show.palette import formatter, log_ticks
from search.show.terminal.front_table import MISSING
from search.space.objectives import OBJECTIVES

_MOST_WORDS = 16
"""Different words on one axis; an option with more is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParallelAxis:
    """One axis.

    Attributes:
        label: what it is.
        places: of each trial, from 0 at the bottom to 1.
        ticks: places and their words.
    """

    label: str
    places: list[float]
    ticks: list[tuple[float, str]]


def parallel_axes(records: Sequence[TrialRecord], objectives: Sequence[str]) -> list[ParallelAxis]:
    """Options that vary by themselves, those of their layers, then the objectives with a quality last."""
    rows = [trial_row(record) for record in records]
    options = [name for name in independent_options(records) if name != "layers"]
    axes = [_option_axis(name, [row[name] for row in rows]) for name in options]
    layers = [layer_options(record.candidate.model) for record in records]
    axes[1:1] = [_number_axis(name, [each[name] for each in layers]) for name in layers[0]] if layers else []
    ordered = sorted(objectives, key=lambda name: OBJECTIVES[name].quality)
    figures = [
        _figure_axis(name, [metric(record, OBJECTIVES[name].key) or 1.0 for record in records]) for name in ordered
    ]
    return [axis for axis in (*axes, *figures) if axis is not None and len(set(axis.places)) > 1]


def _option_axis(name: str, values: Sequence[Any]) -> ParallelAxis | None:
    """Numbers where they are, words evenly spaced; None where there are too many words."""
    if COLUMNS[name].dtype in ("Int64", "Float64") and None not in values:
        if name in LOG_SCALE and min(values) > 0:
            return _log_axis(name, values, "perplexity")
        return _number_axis(name, values)
    words = sorted({_word(value) for value in values})
    if len(words) > _MOST_WORDS:
        return None
    ticks = [(_scaled(place, 0, len(words) - 1), word) for place, word in enumerate(words)]
    heights = {word: height for height, word in ticks}
    return ParallelAxis(label=name, places=[heights[_word(value)] for value in values], ticks=ticks)


def _word(value: Any) -> str:
    return MISSING if value is None else str(value)


def _number_axis(label: str, values: Sequence[float]) -> ParallelAxis:
    low, high = min(values), max(values)
    distinct = sorted(set(values))
    shown = distinct if len(distinct) <= 10 else [low + (high - low) * share / 4 for share in range(5)]
    ticks = [(_scaled(value, low, high), f"{value:.3g}") for value in shown]
    return ParallelAxis(label=label, places=[_scaled(value, low, high) for value in values], ticks=ticks)


def _figure_axis(name: str, values: Sequence[float]) -> ParallelAxis:
    return _log_axis(OBJECTIVES[name].label.removeprefix("validation ").removeprefix("training "), values, name)


def _log_axis(label: str, values: Sequence[float], objective: str) -> ParallelAxis:
    low, high = math.log(min(values)), math.log(max(values))
    shown, _ = log_ticks(min(values), max(values), objective)
    ticks = [(_scaled(math.log(value), low, high), formatter(objective)(value)) for value in shown]
    return ParallelAxis(label=label, places=[_scaled(math.log(value), low, high) for value in values], ticks=ticks)


def _scaled(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
