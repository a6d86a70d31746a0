"""The report's trade-off: every trial's quality against a cost.

Trials that were never trained have no quality: they stand in a strip above the plot, at what they would cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from search.ledger.metrics import latest_quality, metric
from search.ledger.records import TrialRecord
from search.results.front import best, knee, pareto_front
from search.show.palette import INK, MUTED, WARNING, formatter, look
from search.show.report.layout import hover_texts, log_axis, plot_layout
from search.space.objectives import OBJECTIVES, label_under

Point = tuple[float, float, TrialRecord]
"""What a trial costs, how good it is, and the trial."""

HoverTexts = Mapping[int, str]
"""What the pointer shows, by number of the trial."""


def trade_off_figure(
    records: Sequence[TrialRecord],
    quality: str,
    cost: str,
    objectives: Sequence[str],
    limits: Mapping[str, int],
    conditions: str = "",
) -> go.Figure:
    """Every trial's quality against one cost, both logarithmic; a record without the figures is left out.

    `conditions` are those of the cost where they are not as trained.
    """
    complete = _points(records, "complete", quality, cost)
    pruned = _points(records, "pruned", quality, cost)
    infeasible = _costs(records, OBJECTIVES[cost].key)
    limit = limits.get(cost)
    left, right = _span([x for x, _, _ in complete + pruned] + [x for x, _ in infeasible], limit)
    bottom, top = _quality_span([y for _, y, _ in complete], [y for _, y, _ in pruned])
    figure, texts = go.Figure(), hover_texts(records)
    front = {record.number for record in pareto_front(records, objectives)}
    _add_pruned(figure, pruned, texts, top)
    _add_front_line(figure, _points(pareto_front(records, (quality, cost)), "complete", quality, cost))
    _add_complete(figure, complete, texts, front)
    _add_infeasible(figure, infeasible, texts, right)
    _add_marks(figure, records, quality, cost)
    if limit is not None:
        _add_limit(figure, cost, limit)
    strip = bool(infeasible)
    figure.update_layout(
        **plot_layout(600),
        xaxis=log_axis(left, right, cost),
        yaxis=log_axis(bottom, top, quality) | {"domain": [0, 0.89 if strip else 1]},
        yaxis2={
            "domain": [0.93, 1],
            "range": [-1, 1],
            "visible": True,
            "showticklabels": False,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "title": "",
            "anchor": "x",
            "ticks": "",
        },
    )
    if conditions:
        figure.update_xaxes(title_text=label_under(cost, conditions))
        figure.update_yaxes(title_text=label_under(quality, conditions), selector={"type": "log"})
    return figure


def _points(records: Iterable[TrialRecord], state: str, quality: str, cost: str) -> list[Point]:
    points = []
    for record in records:
        x, y = metric(record, OBJECTIVES[cost].key), latest_quality(record, quality)
        if record.state == state and x and y and math.isfinite(x) and math.isfinite(y) and min(x, y) > 0:
            points.append((x, y, record))
    return points


def _costs(records: Iterable[TrialRecord], key: str) -> list[tuple[float, TrialRecord]]:
    infeasible = [record for record in records if record.state == "infeasible"]
    return [(value, record) for record in infeasible if (value := metric(record, key)) is not None and value > 0]


def _span(values: Sequence[float], limit: float | None) -> tuple[float, float]:
    """Ends of the cost axis: all trials and the limit, but no more than four times the limit."""
    shown = [min(value, 4 * limit) if limit else value for value in values] + ([limit] if limit else [])
    if not shown:
        return 1.0, 10.0
    label = limit * (max(shown) / min(shown)) ** 0.2 if limit else 0.0  # room for what is written beside the limit
    return min(shown) / 1.15, max(max(shown) * 1.15, label)


def _quality_span(complete: Sequence[float], pruned: Sequence[float]) -> tuple[float, float]:
    """Ends of the quality axis: early stops may not squeeze the complete trials below half of it."""
    values = complete or pruned
    if not values:
        return 1.0, 10.0
    low, high = min([*complete, *pruned]), max(values)
    room = max(high / low, 1.05)
    return low / room**0.08, max(high, min(max([*pruned, high]), low * room**2)) * room**0.08


def _add_complete(figure: go.Figure, points: Sequence[Point], texts: HoverTexts, front: set[int]) -> None:
    for variant in dict.fromkeys(record.candidate.model.variant for _, _, record in points):
        members = [point for point in points if point[2].candidate.model.variant == variant]
        on_front = [record.number in front for _, _, record in members]
        figure.add_trace(
            go.Scatter(
                **_positions(members, texts),
                **_group(figure, variant, look(variant).symbol, look(variant).colour, 1),
                marker={
                    "color": look(variant).colour,
                    "symbol": look(variant).symbol,
                    "size": [13 if on else 9 for on in on_front],
                    "opacity": [1.0 if on else 0.55 for on in on_front],
                    "line": {
                        "color": [INK if on else "white" for on in on_front],
                        "width": [1.5 if on else 0.5 for on in on_front],
                    },
                },
            )
        )


def _add_pruned(figure: go.Figure, points: Sequence[Point], texts: HoverTexts, top: float) -> None:
    for name, members in (
        ("pruned, at its last validation", [point for point in points if point[1] <= top]),
        ("pruned, above the axis", [(x, top, record) for x, y, record in points if y > top]),
    ):
        if members:
            variants = [record.candidate.model.variant for _, _, record in members]
            inside = "above" not in name
            marker = {
                "color": [look(variant).colour for variant in variants],
                "symbol": [f"{look(variant).symbol}-open" if inside else "arrow-bar-up-open" for variant in variants],
                "size": 8,
                "opacity": 0.6,
                "line": {"width": 1.2},
            }
            group = _group(figure, name, "circle-open" if inside else "arrow-bar-up-open", MUTED, 3)
            figure.add_trace(go.Scatter(**_positions(members, texts), **group, marker=marker, cliponaxis=False))


def _add_front_line(figure: go.Figure, front: Sequence[Point]) -> None:
    if front:
        figure.add_trace(
            go.Scatter(
                x=[x for x, _, _ in front],
                y=[y for _, y, _ in front],
                mode="lines",
                name="front",
                legendrank=2,
                line={"shape": "hv", "color": INK, "width": 1.5},
                hoverinfo="skip",
            )
        )


def _add_infeasible(
    figure: go.Figure, costs: Sequence[tuple[float, TrialRecord]], texts: HoverTexts, right: float
) -> None:
    if costs:
        marker = {
            "symbol": "line-ns-open",
            "size": 14,
            "opacity": 0.8,
            "color": [look(record.candidate.model.variant).colour for _, record in costs],
            "line": {"width": 1.6},
        }
        members = [(min(value, right), 0.0, record) for value, record in costs]
        group = _group(figure, "infeasible, never trained", "line-ns-open", MUTED, 4)
        figure.add_annotation(
            text="never trained",
            xref="paper",
            yref="paper",
            x=0,
            y=0.965,
            showarrow=False,
            xanchor="right",
            xshift=-8,
            font={"size": 12},
        )
        figure.add_trace(go.Scatter(**_positions(members, texts), **group, yaxis="y2", marker=marker))


def _group(figure: go.Figure, name: str, symbol: str, colour: str, rank: int) -> dict[str, Any]:
    """Adds a legend entry that does not depend on which trial comes first, and gives what joins a trace to it."""
    marker = {"symbol": symbol, "color": colour, "size": 10, "line": {"width": 1.2}}
    figure.add_trace(
        go.Scatter(x=[None], y=[None], mode="markers", name=name, legendgroup=name, marker=marker, legendrank=rank)
    )
    return {"mode": "markers", "name": name, "legendgroup": name, "showlegend": False}


def _positions(points: Sequence[Point], texts: HoverTexts) -> dict[str, Any]:
    return {
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "hovertext": [texts[record.number] for _, _, record in points],
        "hoverinfo": "text",
    }


def _add_marks(figure: go.Figure, records: Sequence[TrialRecord], quality: str, cost: str) -> None:
    marks = {"best": best(records, quality=quality), "knee": knee(records, (quality, cost))}
    for text, record in marks.items():
        for x, y, _ in _points([record] if record else [], "complete", quality, cost):
            figure.add_annotation(
                x=math.log10(x),
                y=math.log10(y),
                text=text,
                showarrow=False,
                xshift=-12,
                yshift=-14,
                xanchor="right",
                font={"size": 13, "color": INK},
            )


def _add_limit(figure: go.Figure, cost: str, limit: int) -> None:
    figure.add_shape(
        type="line", x0=limit, x1=limit, y0=0, y1=1, yref="paper", line={"color": WARNING, "width": 1.5, "dash": "dash"}
    )
    figure.add_annotation(
        x=math.log10(limit),
        y=0,
        yref="paper",
        text=f"limit {formatter(cost)(limit)}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        xshift=5,
        yshift=4,
        font={"color": WARNING, "size": 13},
    )
