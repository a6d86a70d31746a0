"""How trials look in every picture: a colour and a symbol per variant, and ticks that people can read.

The colours are those of Okabe and Ito, distinct under every common kind of colour blindness; symbols differ
too, so that a print without colour is still readable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msarch.config.variants import VARIANTS
from msarch.units import format_bytes, format_count, format_step_seconds
from search.space.objectives import OBJECTIVES


@dataclass(frozen=True, slots=True)
class Look:
    """How one variant is drawn: colour, Plotly's symbol and matplotlib's marker."""

    colour: str
    symbol: str
    marker: str


INK, MUTED, RULE, FAINT, WARNING, PAPER = "#1c2330", "#5b6472", "#dfe3e8", "#b9c0c9", "#b3261e", "#ffffff"
"""On light paper."""
BAND, TINT, ACCENT = "#f5f7f9", "#eaf4fb", "#0b6eac"
"""Behind what belongs together, behind what is chosen or on the front, and of what can be clicked."""
DARK = {
    INK: "#e6e9ee",
    MUTED: "#a3adba",
    RULE: "#343b46",
    FAINT: "#57616f",
    WARNING: "#ff8a7a",
    PAPER: "#14181f",
    BAND: "#1c222b",
    TINT: "#17303f",
    ACCENT: "#6cbcf0",
}
"""What takes the place of each where a page's reader prefers dark paper. Variants keep their colours."""
_LOOKS = (
    Look("#0072b2", "circle", "o"),
    Look("#d55e00", "triangle-up", "^"),
    Look("#009e73", "square", "s"),
    Look("#cc79a7", "diamond", "D"),
    Look("#e69f00", "pentagon", "p"),
    Look("#56b4e9", "star", "*"),
    Look("#7f7f7f", "hexagon", "h"),
)
_BINARY = ((1.0,), (1.0, 1.5), (1.0, 1.25, 1.5, 1.75))
_DECIMAL = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))


def look(variant: str) -> Look:
    """How this variant is drawn, the same in every picture of every search."""
    names = list(VARIANTS)
    return _LOOKS[names.index(variant) % len(_LOOKS)] if variant in names else _LOOKS[-1]


def colour_at(index: int) -> str:
    """The colour of the search at this place of a comparison; after seven they repeat."""
    return _LOOKS[index % len(_LOOKS)].colour


def formatter(objective: str) -> Callable[[float], str]:
    """How figures of this objective are written on an axis."""
    unit = OBJECTIVES[objective].unit
    if unit == "bytes":
        return format_bytes
    if unit == "seconds":
        return format_step_seconds
    if OBJECTIVES[objective].quality:
        return lambda value: f"{value:.4g}" if value < 999.95 else f"{value:.0f}"  # as many digits as a figure has
    return format_count


def log_ticks(low: float, high: float, objective: str) -> tuple[list[float], list[str]]:
    """About four to ten ticks between `low` and `high` (above 0) on a logarithmic axis, and their labels."""
    binary = OBJECTIVES[objective].unit == "bytes"
    values: list[float] = []
    for ladder in _BINARY if binary else _DECIMAL:
        values = _rungs(low, high, ladder, 2.0 if binary else 10.0)
        if len(values) >= 4:
            break
    else:
        values = _linear(low, high)
    step = -(-len(values) // 10)
    values = values[::step]
    return values, [formatter(objective)(value) for value in values]


def _rungs(low: float, high: float, ladder: Sequence[float], base: float) -> list[float]:
    first, last = math.floor(math.log(low, base)), math.ceil(math.log(high, base))
    values = (base**power * mantissa for power in range(first, last + 1) for mantissa in ladder)
    return [value for value in values if low <= value <= high]


def _linear(low: float, high: float) -> list[float]:
    if high <= low:
        return [low]
    rough = (high - low) / 4
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * nice for nice in (1, 2, 5, 10) if scale * nice >= rough)
    return [count * step for count in range(math.ceil(low / step), math.floor(high / step) + 1)]
