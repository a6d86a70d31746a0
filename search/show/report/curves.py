"""The report's validation curves: loss against training tokens, the front in colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from msarch.units import format_count
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.show.palette import RULE, log_ticks, look
from search.show.report.layout import axis, hover_texts, plot_layout


def curves_figure(records: Sequence[TrialRecord], objectives: Sequence[str]) -> go.Figure:
    """Validation loss against training tokens: the front in colour, pruned trials dashed, the others grey."""
    figure = go.Figure()
    texts = hover_texts(records)
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
            figure.add_trace(_curves_trace(members, texts, name, line, 4))
    for variant in dict.fromkeys(record.candidate.model.variant for record in records):
        members = [r for r in records if r.number in front and r.candidate.model.variant == variant and r.curve]
        if members:
            style = look(variant)
            trace = _curves_trace(members, texts, f"front: {variant}", {"color": style.colour, "width": 2}, 7)
            figure.add_trace(trace.update(marker={"symbol": style.symbol}))
    tokens = [point.tokens for record in records for point in record.curve if point.tokens > 0] or [1]
    low, high = min(tokens) * 0.85, max(tokens) * 1.18
    values = sorted(set(tokens))
    ticks = values if len(values) <= 8 else log_ticks(low, high, "parameters")[0]
    figure.update_layout(
        **plot_layout(480),
        xaxis=axis("training tokens", [math.log10(low), math.log10(high)], ticks, map(format_count, ticks)),
        yaxis={"title": {"text": "validation loss, nats per token"}, "gridcolor": RULE, "zeroline": False},
    )
    return figure


def _curves_trace(
    records: Sequence[TrialRecord], texts: Mapping[int, str], name: str, line: dict[str, Any], size: int
) -> go.Scatter:
    """All curves of a group as one trace, with a gap between two: hundreds of trials stay quick to draw."""
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for record in records:
        points = [point for point in record.curve if math.isfinite(point.loss)]
        x += [*(point.tokens for point in points), None]
        y += [*(point.loss for point in points), None]
        about = texts[record.number]
        text += [f"loss {point.loss:.3f} at {format_count(point.tokens)} tokens<br>{about}" for point in points] + [""]
    return go.Scatter(
        x=x,
        y=y,
        hovertext=text,
        hoverinfo="text",
        mode="lines+markers",
        name=name,
        line=line,
        marker={"size": size},
        connectgaps=False,
    )
