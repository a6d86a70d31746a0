"""The front in characters, for `msarch pareto`: every complete trial as the letter of its variant, the front as a line.

Drawn by plotille: it has no dependencies, keeps no state between figures, and draws as well without colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from search.ledger.metrics import objective_values
from search.ledger.records import TrialRecord
from search.results.front import pareto_front, split
from search.results.variants import by_variant, usable
from search.show.palette import formatter
from search.show.view import cost_span, quality_span
from search.space.objectives import OBJECTIVES

if TYPE_CHECKING:
    import plotille

HEIGHT = 14
BLANK = "\u2800"
"""An empty cell of Braille dots, of which the plot is made."""
_LABELS = 16
"""Columns that plotille takes beside the plot: figures of the vertical axis, the axis, and room after it."""
LEAST_WIDTH = 24 + _LABELS
_COLOURS = {
    "vanilla": "blue",
    "top_down": "red",
    "bottom_up": "green",
    "retina": "magenta",
    "hourglass": "yellow",
    "spacebyte": "cyan",
}

Point = tuple[float, float]


def front_plot(records: Sequence[TrialRecord], objectives: Sequence[str], *, colour: bool, width: int) -> str:
    """The plane of the first quality and the first cost, both logarithmic; empty where no trial is complete.

    At most `width` columns; empty too where that leaves no room.
    """
    plane = split(objectives)
    members = usable(records, plane)
    if not members or width < LEAST_WIDTH:
        return ""
    front = pareto_front(members, plane)
    on_front = {record.number for record in front}
    points = {record.number: point_of(record, plane) for record in members}
    figure = empty_plot(points.values(), [points[n] for n in on_front], plane, colour=colour, width=width)
    top = figure.y_limits()[1]
    line = steps([points[record.number] for record in front])
    figure.plot([x for x, _ in line], [y for _, y in line], lc=None)
    for shown_on_front in (False, True):  # the front last, over the others
        for variant, each in by_variant(members).items():
            chosen = [points[r.number] for r in each if (r.number in on_front) is shown_on_front]
            inside = [(x, y) for x, y in chosen if y <= top]
            letter = variant[0].upper() if shown_on_front else variant[0]
            tint = _COLOURS.get(variant) if colour else None
            figure.scatter([x for x, _ in inside], [y for _, y in inside], lc=tint, marker=letter)
    letters = ", ".join(f"{variant[0].upper()} {variant}" for variant in by_variant(members))
    return framed(figure, plane, f"{letters}; small letters are not on the front")


def empty_plot(
    points: Iterable[Point], front: Iterable[Point], plane: tuple[str, str], *, colour: bool, width: int
) -> plotille.Figure:
    """A plot with its axes, on which all `points` and, filling it, the `front` have room."""
    import plotille

    points, front = list(points), list(front)
    figure = plotille.Figure()
    figure.width, figure.height = _columns(min(width, 100)), HEIGHT
    figure.origin, figure.with_colors = False, colour
    figure.color_mode = "names"
    left, right = map(math.log, cost_span([math.exp(x) for x, _ in points], None))
    bottom, top = map(math.log, quality_span([math.exp(y) for _, y in points], [math.exp(y) for _, y in front]))
    figure.set_x_limits(left, right)
    figure.set_y_limits(bottom, top)
    figure.x_ticks_fkt = lambda low, _: _tick(low, plane[1])
    figure.y_ticks_fkt = lambda low, _: _tick(low, plane[0])
    figure.x_label = figure.y_label = ""
    return figure


def _columns(width: int) -> int:
    """Columns of the plot itself: plotille names every tenth, and the last name needs ten."""
    return (width - _LABELS + 1) // 10 * 10 - 1


def point_of(record: TrialRecord, plane: tuple[str, str]) -> Point:
    """A trial's place on logarithmic axes."""
    values = objective_values(record, plane)
    assert values is not None
    return math.log(values[1]), math.log(values[0])


def steps(points: Sequence[Point]) -> list[Point]:
    """The corners of the front: what it reaches holds until the next model is affordable."""
    corners = list(points[:1])
    for (_, level), point in pairwise(points):
        corners += [(point[0], level), point]
    return corners


def _tick(value: float, objective: str) -> str:
    return formatter(objective)(math.exp(value))


def framed(figure: plotille.Figure, plane: tuple[str, str], letters: str) -> str:
    """The plot, drawn, with its axes named and its letters explained."""
    quality, cost = (OBJECTIVES[name].label for name in plane)
    drawn = figure.show().splitlines()[1:]  # the first names an axis
    lines = [line.removesuffix("()").rstrip(f" {BLANK}") for line in drawn]
    return "\n".join((f"{quality} against {cost}", *lines, letters, ""))
