"""Several fronts in characters, for `msarch compare`: a line and a letter for each search."""

from __future__ import annotations

import string

from search.results.comparison import Comparison
from search.results.front import pareto_front
from search.show.terminal.front_plot import LEAST_WIDTH, Point, empty_plot, framed, point_of, steps

_COLOURS = ("blue", "red", "green", "magenta", "yellow", "cyan")


def letter_of(index: int) -> str:
    """The letter of a search, in the order in which they are compared: A, B, C."""
    return string.ascii_uppercase[index]


def fronts_plot(comparison: Comparison, *, colour: bool, width: int) -> str:
    """The fronts on shared logarithmic axes, at most `width` columns; empty where that leaves no room."""
    if width < LEAST_WIDTH:
        return ""
    plane = comparison.plane
    fronts = [[point_of(record, plane) for record in each.front] for each in comparison.contenders]
    joint = pareto_front([record for each in comparison.contenders for record in each.front], plane)
    points = [point for front in fronts for point in front]
    figure = empty_plot(points, [point_of(record, plane) for record in joint], plane, colour=colour, width=width)
    right, top = figure.x_limits()[1], figure.y_limits()[1]
    for index, front in enumerate(fronts):
        tint = _COLOURS[index % len(_COLOURS)] if colour else None
        line = [(x, min(y, top)) for x, y in steps(front)] + [(right, front[-1][1])]
        inside: list[Point] = [(x, y) for x, y in front if y <= top]
        figure.plot([x for x, _ in line], [y for _, y in line], lc=tint)
        figure.scatter([x for x, _ in inside], [y for _, y in inside], lc=tint, marker=letter_of(index))
    letters = ", ".join(f"{letter_of(index)} {each.name}" for index, each in enumerate(comparison.contenders))
    return framed(figure, plane, letters)
