"""The report's trade-off: every trial's quality against a cost.

Trials that were never trained have no quality: they stand in a strip above the plot, at what they would cost. Every
trace that stands for trials carries their numbers as `customdata`, and in `meta` which figures of them it draws.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from search.ledger.metrics import latest_quality, metric
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.results.variants import by_variant
from search.show.palette import INK, MUTED, PAPER, look
from search.show.report.layout import add_axis_title, hover_texts, log_axis, plot_layout
from search.show.report.marks import add_limit, add_marks
from search.show.stopped import stopped_word
from search.show.view import cost_span, quality_span
from search.space.objectives import OBJECTIVES, label_under

Point = tuple[float, float, TrialRecord]
"""What a trial costs, how good it is, and the trial."""

HoverTexts = Mapping[int, str]
"""What the pointer shows, by number of the trial; nothing where a page shows it by itself."""

Spreads = Mapping[int, float]
"""Standard deviations over seeds by number of the trial: of the loss in nats for perplexity, else of bits per byte."""


def trade_off_figure(
    records: Sequence[TrialRecord],
    quality: str,
    cost: str,
    objectives: Sequence[str],
    limits: Mapping[str, int],
    conditions: str = "",
    texts: HoverTexts | None = None,
    spreads: Spreads | None = None,
) -> go.Figure:
    """Every trial's quality against one cost, both logarithmic; a record without the figures is left out.

    The axes show the front and most complete trials; a double click shows all. `conditions` are those of the cost
    where they are not as trained; `texts` what the pointer shows, made here where it is None; `spreads` become
    error bars.
    """
    texts = hover_texts(records, cost) if texts is None else texts
    complete, stopped = (points_of(records, state, quality, cost) for state in ("complete", "pruned"))
    infeasible = _costs(records, OBJECTIVES[cost].key)
    line = points_of(pareto_front(records, (quality, cost)), "complete", quality, cost)
    front = front_in(records, quality, cost, objectives)
    limit = limits.get(cost)
    left, right = cost_span([x for x, _, _ in complete or stopped], limit)
    bottom, top = quality_span([y for _, y, _ in complete or stopped], [y for _, y, _ in line])
    figure = go.Figure()
    keys = {"x": OBJECTIVES[cost].key, "y": OBJECTIVES[quality].key}
    _add_stopped(figure, stopped, texts, keys | {"y": f"latest_{quality}"})
    _add_front_line(figure, line)
    _add_error_bars(figure, complete, spreads or {}, quality)
    _add_complete(figure, complete, texts, front, keys)
    _add_infeasible(figure, infeasible, texts, keys["x"], right)
    add_marks(figure, points_of(records, "complete", quality, cost), quality, cost)
    if limit is not None and limit <= right:
        add_limit(figure, cost, limit, top=0.9 if infeasible else 1.0)
    figure.update_layout(
        **plot_layout(600),
        xaxis=log_axis(left, right, cost),
        yaxis=log_axis(bottom, top, quality) | {"title": {"text": ""}, "domain": [0, 0.9 if infeasible else 1]},
        yaxis2=_strip(),
    )
    figure.update_xaxes(title_text=label_under(cost, conditions))
    add_axis_title(figure, label_under(quality, conditions))
    return figure


def front_in(records: Sequence[TrialRecord], quality: str, cost: str, objectives: Sequence[str]) -> set[int]:
    """The trials that are drawn large: on the front of this plane, or, where the cost is an objective, of them all."""
    front = pareto_front(records, (quality, cost))
    if cost in objectives:
        front = [*front, *pareto_front(records, objectives)]
    return {record.number for record in front}


def points_of(records: Iterable[TrialRecord], state: str, quality: str, cost: str) -> list[Point]:
    """The trials in a state whose figures can stand on logarithmic axes; stopped ones at their last validation."""
    points = []
    for record in records:
        x, y = metric(record, OBJECTIVES[cost].key), latest_quality(record, quality)
        if record.state == state and x and y and math.isfinite(x) and math.isfinite(y) and min(x, y) > 0:
            points.append((x, y, record))
    return points


def _costs(records: Iterable[TrialRecord], key: str) -> list[tuple[float, TrialRecord]]:
    infeasible = [record for record in records if record.state == "infeasible"]
    return [(value, record) for record in infeasible if (value := metric(record, key)) is not None and value > 0]


def _strip() -> dict[str, Any]:
    """The axis of those that were never trained: no figures on it."""
    return {
        "domain": [0.94, 1],
        "range": [-1, 1],
        "visible": True,
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "title": "",
        "anchor": "x",
        "ticks": "",
    }


def _add_complete(
    figure: go.Figure, points: Sequence[Point], texts: HoverTexts, front: Collection[int], keys: dict[str, str]
) -> None:
    at = {record.number: (x, y) for x, y, record in points}
    groups = by_variant(record for _, _, record in points)
    for on_front in (False, True):
        for variant, each in groups.items():
            style = look(variant)
            members = [(*at[record.number], record) for record in each if (record.number in front) is on_front]
            marker = {
                "color": style.colour,
                "symbol": style.symbol,
                "size": 13 if on_front else 8,
                "opacity": 1.0 if on_front else 0.55,
                "line": {"color": INK if on_front else PAPER, "width": 1.5 if on_front else 0.5},
            }
            if on_front:
                group = _group(figure, variant, style.symbol, style.colour, 1)
            else:
                group = {"mode": "markers", "name": variant, "legendgroup": variant, "showlegend": False}
            if members:
                meta = keys | {"front": True} if on_front else keys
                figure.add_trace(go.Scatter(**_positions(members, texts, meta), **group, marker=marker))


def _add_error_bars(figure: go.Figure, points: Sequence[Point], spreads: Spreads, quality: str) -> None:
    """Bars alone, in traces of their own: in one with other trials Plotly would draw caps for all of them."""
    sure = {record.number: (x, y) for x, y, record in points if record.number in spreads}
    for variant, members in by_variant(record for _, _, record in points if record.number in sure).items():
        x, y = zip(*(sure[record.number] for record in members), strict=True)
        ends = [_ends(sure[record.number][1], spreads[record.number], quality) for record in members]
        up, down = zip(*ends, strict=True)
        bars = {"type": "data", "array": up, "arrayminus": down, "color": look(variant).colour, "width": 5}
        figure.add_trace(go.Scatter(x=x, y=y, error_y=bars, mode="none", hoverinfo="skip", showlegend=False))


def _ends(value: float, spread: float, quality: str) -> tuple[float, float]:
    """How far a bar reaches up and down: the spread of a perplexity is that of its logarithm."""
    if quality == "perplexity":
        return value * math.expm1(spread), -value * math.expm1(-spread)
    return spread, spread


def _add_stopped(figure: go.Figure, points: Sequence[Point], texts: HoverTexts, keys: dict[str, str]) -> None:
    name = f"{stopped_word(record for _, _, record in points)}, at its last validation"
    group = _group(figure, name, "circle-open", MUTED, 3) if points else {}
    at = {record.number: (x, y) for x, y, record in points}
    for variant, members in by_variant(record for _, _, record in points).items():
        style = look(variant)
        marker = {"color": style.colour, "symbol": f"{style.symbol}-open", "size": 7, "opacity": 0.6}
        positions = _positions([(*at[record.number], record) for record in members], texts, keys)
        figure.add_trace(go.Scatter(**positions, **group, marker=marker | {"line": {"width": 1.2}}))


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
    figure: go.Figure, costs: Sequence[tuple[float, TrialRecord]], texts: HoverTexts, key: str, right: float
) -> None:
    if not costs:
        return
    group = _group(figure, "infeasible, never trained", "line-ns-open", MUTED, 4)
    for variant, members in by_variant(record for _, record in costs).items():
        numbers = {record.number for record in members}
        points = [(value, 0.0, record) for value, record in costs if record.number in numbers]
        marker = {"symbol": "line-ns-open", "size": 12, "opacity": 0.8, "color": look(variant).colour}
        positions = _positions(points, texts, {"x": key})
        figure.add_trace(go.Scatter(**positions, **group, yaxis="y2", marker=marker | {"line": {"width": 1.6}}))
    beyond = sum(value > right for value, _ in costs)
    text = f"never trained, {beyond} beyond this range →" if beyond else "never trained"
    figure.add_annotation(
        name="room",  # left out where there is no room
        text=text,
        xref="paper",
        yref="paper",
        x=1,
        y=1,
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        font={"size": 12, "color": MUTED},
    )


def _group(figure: go.Figure, name: str, symbol: str, colour: str, rank: int) -> dict[str, Any]:
    """Adds a legend entry that does not depend on which trial comes first, and gives what joins a trace to it."""
    marker = {"symbol": symbol, "color": colour, "size": 10, "line": {"width": 1.2}}
    figure.add_trace(
        go.Scatter(x=[None], y=[None], mode="markers", name=name, legendgroup=name, marker=marker, legendrank=rank)
    )
    return {"mode": "markers", "name": name, "legendgroup": name, "showlegend": False}


def _positions(points: Sequence[Point], texts: HoverTexts, meta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "customdata": [record.number for _, _, record in points],
        "hovertext": [texts.get(record.number, "") for _, _, record in points],
        "hoverinfo": "text",
        "meta": dict(meta),
    }
