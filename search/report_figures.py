"""The Plotly figures of a report: quality against a cost, and validation curves.

Trials that were never trained have no quality: they stand in a strip above the plot, at what they would cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from msarch.units import format_count
from search.front import best, knee, pareto_front
from search.front_table import format_figure
from search.measures import measure, perplexity
from search.objectives import OBJECTIVES
from search.palette import INK, MUTED, RULE, WARNING, formatter, log_ticks, look
from search.records import TrialRecord

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif'
Point = tuple[float, float, TrialRecord]


def trade_off_figure(
    records: Sequence[TrialRecord], quality: str, cost: str, objectives: Sequence[str], limits: Mapping[str, int]
) -> go.Figure:
    """Every trial's quality against one cost, both logarithmic; a record without the figures is left out."""
    complete = _points(records, "complete", quality, cost)
    pruned = _points(records, "pruned", quality, cost)
    infeasible = _costs(records, OBJECTIVES[cost].key)
    limit = limits.get(cost)
    left, right = _span([x for x, _, _ in complete + pruned] + [x for x, _ in infeasible], limit)
    bottom, top = _quality_span([y for _, y, _ in complete], [y for _, y, _ in pruned])
    figure = go.Figure()
    front = {record.number for record in pareto_front(records, objectives)}
    _add_pruned(figure, pruned, top)
    _add_front_line(figure, _points(pareto_front(records, (quality, cost)), "complete", quality, cost))
    _add_complete(figure, complete, front)
    _add_infeasible(figure, infeasible, right)
    _add_marks(figure, records, quality, cost)
    if limit is not None:
        _add_limit(figure, cost, limit)
    strip = bool(infeasible)
    figure.update_layout(
        **_layout(560),
        xaxis=_log_axis(left, right, cost),
        yaxis=_log_axis(bottom, top, quality) | {"domain": [0, 0.89 if strip else 1]},
        yaxis2={
            "domain": [0.93, 1], "range": [-1, 1], "visible": True, "showticklabels": False, "showgrid": False,
            "zeroline": False, "fixedrange": True, "title": "", "anchor": "x", "ticks": "",
        },
    )  # fmt: skip
    return figure


def curves_figure(records: Sequence[TrialRecord], objectives: Sequence[str]) -> go.Figure:
    """Validation loss against training tokens: the front in colour, pruned trials dashed, the others grey."""
    figure = go.Figure()
    front = {record.number for record in pareto_front(records, objectives)}
    groups: dict[str, tuple[list[TrialRecord], dict[str, Any]]] = {
        "complete": ([], {"color": "#b9c0c9", "width": 1}),
        "pruned": ([], {"color": "#9aa3ad", "width": 1, "dash": "dash"}),
        "running": ([], {"color": "#6aa9d8", "width": 1, "dash": "dot"}),
    }
    for record in records:
        if record.state in groups and record.number not in front:
            groups[record.state][0].append(record)
    for name, (members, line) in groups.items():
        if any(record.curve for record in members):
            figure.add_trace(_curves_trace(members, name, line, 4))
    for variant in dict.fromkeys(record.candidate.model.variant for record in records):
        members = [r for r in records if r.number in front and r.candidate.model.variant == variant and r.curve]
        if members:
            style = look(variant)
            trace = _curves_trace(members, f"front: {variant}", {"color": style.colour, "width": 2}, 7)
            figure.add_trace(trace.update(marker={"symbol": style.symbol}))
    tokens = [point.tokens for record in records for point in record.curve if point.tokens > 0] or [1]
    low, high = min(tokens) * 0.85, max(tokens) * 1.18
    values = sorted(set(tokens))
    ticks = values if len(values) <= 8 else log_ticks(low, high, "parameters")[0]
    figure.update_layout(
        **_layout(440),
        xaxis=_axis("training tokens", [math.log10(low), math.log10(high)], ticks, map(format_count, ticks)),
        yaxis={"title": {"text": "validation loss, nats per token"}, "gridcolor": RULE, "zeroline": False},
    )
    return figure


def hover(record: TrialRecord) -> str:
    """What stands beside the pointer: the trial, its architecture and its figures, as safe markup."""
    model, training = record.candidate.model, record.candidate.training
    lines = [
        f"<b>trial {record.number}</b> {escape(record.state)}",
        f"{escape(model.variant)} <b>{escape(model.layers)}</b>",
        f"d_model {model.d_model}, {model.n_heads} heads, learning rate {training.learning_rate:.2e}",
    ]
    if model.retina_factors:
        windows = " ".join(map(str, model.retina_windows))
        lines.append(f"factors {' '.join(map(str, model.retina_factors))}, windows {windows}")
    if record.loss is not None:
        figures = [format_figure(record, key) for key in ("perplexity", "bits_per_byte")]
        lines.append(f"perplexity {figures[0]}, bits per byte {figures[1]}")
    elif record.curve:
        last = record.curve[-1]
        lines.append(f"perplexity {perplexity(last.loss):.1f} after {format_count(last.tokens)} tokens")
    fused, unfused = (format_figure(record, key) for key in ("memory_bytes", "memory_unfused_bytes"))
    lines.append(f"memory {fused}, unfused {unfused}")
    lines.append(f"{format_figure(record, 'parameters')} parameters")
    lines += [escape(text) for text in (record.violation, record.error) if text]
    return "<br>".join(lines)


def _points(records: Iterable[TrialRecord], state: str, quality: str, cost: str) -> list[Point]:
    points = []
    for record in records:
        x, y = measure(record, OBJECTIVES[cost].key), _quality(record, quality)
        if record.state == state and x and y and math.isfinite(x) and math.isfinite(y) and min(x, y) > 0:
            points.append((x, y, record))
    return points


def _quality(record: TrialRecord, quality: str) -> float | None:
    """The final figure, or that of the last validation where a trial was stopped."""
    if record.state == "complete" or not record.curve:
        return measure(record, OBJECTIVES[quality].key)
    last = record.curve[-1]
    return perplexity(last.loss) if quality == "perplexity" else last.bits_per_byte


def _costs(records: Iterable[TrialRecord], key: str) -> list[tuple[float, TrialRecord]]:
    infeasible = [record for record in records if record.state == "infeasible"]
    return [(value, record) for record in infeasible if (value := measure(record, key)) is not None and value > 0]


def _span(values: Sequence[float], limit: float | None) -> tuple[float, float]:
    """Ends of the cost axis: all trials and the limit, but no more than four times the limit."""
    shown = [min(value, 4 * limit) if limit else value for value in values] + ([limit] if limit else [])
    return (min(shown) / 1.15, max(shown) * 1.15) if shown else (1.0, 10.0)


def _quality_span(complete: Sequence[float], pruned: Sequence[float]) -> tuple[float, float]:
    """Ends of the quality axis: early stops may not squeeze the complete trials below half of it."""
    values = complete or pruned
    if not values:
        return 1.0, 10.0
    low, high = min([*complete, *pruned]), max(values)
    room = max(high / low, 1.05)
    return low / room**0.08, max(high, min(max([*pruned, high]), low * room**2)) * room**0.08


def _add_complete(figure: go.Figure, points: Sequence[Point], front: set[int]) -> None:
    for variant in dict.fromkeys(record.candidate.model.variant for _, _, record in points):
        members = [point for point in points if point[2].candidate.model.variant == variant]
        on_front = [record.number in front for _, _, record in members]
        figure.add_trace(
            go.Scatter(
                **_positions(members), mode="markers", name=variant,
                marker={
                    "color": look(variant).colour, "symbol": look(variant).symbol,
                    "size": [13 if on else 9 for on in on_front], "opacity": [1.0 if on else 0.55 for on in on_front],
                    "line": {
                        "color": [INK if on else "white" for on in on_front],
                        "width": [1.5 if on else 0.5 for on in on_front],
                    },
                },
            )
        )  # fmt: skip


def _add_pruned(figure: go.Figure, points: Sequence[Point], top: float) -> None:
    for name, members in (
        ("pruned, at its last validation", [point for point in points if point[1] <= top]),
        ("pruned, above the axis", [(x, top, record) for x, y, record in points if y > top]),
    ):
        if members:
            variants = [record.candidate.model.variant for _, _, record in members]
            inside = "above" not in name
            marker = {
                "color": [look(variant).colour for variant in variants],
                "symbol": [f"{look(variant).symbol}-open" if inside else "arrow-up-open" for variant in variants],
                "size": 8, "opacity": 0.6, "line": {"width": 1.2},
            }  # fmt: skip
            figure.add_trace(
                go.Scatter(**_positions(members), mode="markers", name=name, marker=marker, cliponaxis=False)
            )


def _add_front_line(figure: go.Figure, front: Sequence[Point]) -> None:
    if front:
        figure.add_trace(
            go.Scatter(
                x=[x for x, _, _ in front], y=[y for _, y, _ in front], mode="lines", name="front",
                line={"shape": "hv", "color": INK, "width": 1.5}, hoverinfo="skip",
            )
        )  # fmt: skip


def _add_infeasible(figure: go.Figure, costs: Sequence[tuple[float, TrialRecord]], right: float) -> None:
    if costs:
        marker = {
            "symbol": "line-ns-open", "size": 14, "opacity": 0.8,
            "color": [look(record.candidate.model.variant).colour for _, record in costs], "line": {"width": 1.6},
        }  # fmt: skip
        members = [(min(value, right), 0.0, record) for value, record in costs]
        name = "infeasible, never trained"
        figure.add_trace(go.Scatter(**_positions(members), yaxis="y2", mode="markers", name=name, marker=marker))


def _positions(points: Sequence[Point]) -> dict[str, Any]:
    return {
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "hovertext": [hover(record) for _, _, record in points],
        "hoverinfo": "text",
    }


def _add_marks(figure: go.Figure, records: Sequence[TrialRecord], quality: str, cost: str) -> None:
    marks = {"best": best(records, quality=quality), "knee": knee(records, (quality, cost))}
    for text, record in marks.items():
        for x, y, _ in _points([record] if record else [], "complete", quality, cost):
            figure.add_annotation(
                x=math.log10(x), y=math.log10(y), text=text, showarrow=False, xshift=-12, yshift=-14,
                xanchor="right", font={"size": 13, "color": INK},
            )  # fmt: skip


def _add_limit(figure: go.Figure, cost: str, limit: int) -> None:
    figure.add_shape(
        type="line", x0=limit, x1=limit, y0=0, y1=1, yref="paper", line={"color": WARNING, "width": 1.5, "dash": "dash"}
    )
    figure.add_annotation(
        x=math.log10(limit), y=0, yref="paper", text=f"limit {formatter(cost)(limit)}", showarrow=False,
        xanchor="right", yanchor="bottom", xshift=-5, yshift=4, font={"color": WARNING, "size": 13},
    )  # fmt: skip


def _curves_trace(records: Sequence[TrialRecord], name: str, line: dict[str, Any], size: int) -> go.Scatter:
    """All curves of a group as one trace, with a gap between two: hundreds of trials stay quick to draw."""
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for record in records:
        points = [point for point in record.curve if math.isfinite(point.loss)]
        x += [*(point.tokens for point in points), None]
        y += [*(point.loss for point in points), None]
        about = hover(record)
        text += [f"loss {point.loss:.3f} at {format_count(point.tokens)} tokens<br>{about}" for point in points] + [""]
    return go.Scatter(
        x=x, y=y, hovertext=text, hoverinfo="text", mode="lines+markers", name=name, line=line,
        marker={"size": size}, connectgaps=False,
    )  # fmt: skip


def _log_axis(low: float, high: float, objective: str) -> dict[str, Any]:
    values, labels = log_ticks(low, high, objective)
    return _axis(OBJECTIVES[objective].label, [math.log10(low), math.log10(high)], values, labels)


def _axis(title: str, ends: list[float], values: Sequence[float], labels: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "log", "title": {"text": title}, "range": ends, "tickvals": list(values), "ticktext": list(labels),
        "gridcolor": RULE, "zeroline": False, "minor": {"ticks": ""},
    }  # fmt: skip


def _layout(height: int) -> dict[str, Any]:
    return {
        "template": "none", "height": height, "margin": {"l": 70, "r": 20, "t": 16, "b": 56},
        "font": {"family": FONT, "size": 13, "color": MUTED}, "paper_bgcolor": "white", "plot_bgcolor": "white",
        "legend": {"orientation": "h", "y": -0.14, "yanchor": "top", "x": 0},
        "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": INK, "family": FONT}},
    }  # fmt: skip
