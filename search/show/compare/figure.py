"""The fronts of several searches on the same axes: a colour for each search, a symbol for each variant."""

from __future__ import annotations

import plotly.graph_objects as go

from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.comparison import Comparison, Contender
from search.results.front import pareto_front
from search.show.palette import PAPER, RULE, colour_at, look
from search.show.report.layout import add_axis_title, hover_texts, log_axis, plot_layout
from search.show.view import cost_span, quality_span
from search.space.objectives import OBJECTIVES

_DASHES = ("solid", "dash")
"""Of the lines; beyond the palette's colours a search is told apart by its dashes."""
Plane = tuple[str, str]


def fronts_figure(comparison: Comparison) -> go.Figure:
    """Each front as a line with its models, over a broad line where they are the front of all searches."""
    plane = comparison.plane
    figure = go.Figure()
    shown = [record for each in comparison.contenders for record in each.front]
    joint = pareto_front(shown, plane)
    left, right = cost_span(_values(shown, plane[1]), None)
    bottom, top = quality_span(_values(shown, plane[0]), _values(joint, plane[0]))
    figure.add_trace(_line(joint, plane, right, name="front of all", color=RULE, width=9))
    for index, each in enumerate(comparison.contenders):
        colour, dash = colour_at(index), _DASHES[index // 7 % 2]
        figure.add_trace(_line(each.front, plane, right, name=each.name, color=colour, width=2, dash=dash))
        figure.add_trace(_models(each, plane, colour))
    figure.update_layout(
        **plot_layout(600),
        xaxis=log_axis(left, right, plane[1]),
        yaxis=log_axis(bottom, top, plane[0]) | {"title": {"text": ""}},
        showlegend=True,
    )
    add_axis_title(figure, OBJECTIVES[plane[0]].label)
    return figure


def _line(front: list[TrialRecord], plane: Plane, right: float, *, name: str, **line: object) -> dict[str, object]:
    """What a search reaches at each cost; the last level holds to the end of the axis."""
    costs, levels = _values(front, plane[1]), _values(front, plane[0])
    return {
        "type": "scatter",
        "x": [*costs, right],
        "y": [*levels, levels[-1]],
        "mode": "lines",
        "name": name,
        "legendgroup": name,
        "line": {"shape": "hv", **line},
        "hoverinfo": "skip",
    }


def _models(each: Contender, plane: Plane, colour: str) -> go.Scatter:
    texts = hover_texts(each.front, plane[1])
    return go.Scatter(
        x=_values(each.front, plane[1]),
        y=_values(each.front, plane[0]),
        hovertext=[texts[record.number] for record in each.front],
        hoverinfo="text+name",
        mode="markers",
        name=each.name,
        legendgroup=each.name,
        showlegend=False,
        marker={
            "symbol": [look(record.candidate.model.variant).symbol for record in each.front],
            "color": colour,
            "size": 11,
            "line": {"color": PAPER, "width": 1},
        },
    )


def _values(records: list[TrialRecord], objective: str) -> list[float]:
    key = OBJECTIVES[objective].key
    return [value for record in records if (value := metric(record, key)) is not None]
