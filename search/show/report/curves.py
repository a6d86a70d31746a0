"""The report's validation curves: loss against training tokens, the front in colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from msarch.units import format_count
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.results.variants import by_variant
from search.show.palette import FAINT, MUTED, RULE, log_ticks, look
from search.show.report.layout import add_axis_title, axis, plot_layout

_FEW = 100
"""Up to so many trials each validation is marked; beyond, lines alone are drawn."""


def curves_figure(records: Sequence[TrialRecord], objectives: Sequence[str]) -> go.Figure:
    """Validation loss against training tokens: the front in colour, the others grey; those stopped early are dashed."""
    figure = go.Figure()
    front = {record.number for record in pareto_front(records, objectives)}
    groups: dict[str, tuple[list[TrialRecord], dict[str, Any]]] = {
        "complete": ([], {"color": FAINT, "width": 1}),
        "paused": ([], {"color": FAINT, "width": 1, "dash": "dash"}),
        "pruned": ([], {"color": FAINT, "width": 1, "dash": "dash"}),
        "running": ([], {"color": MUTED, "width": 1, "dash": "dot"}),
    }
    drawn = [record for record in records if record.curve]
    for record in drawn:
        if record.shown_state in groups and record.number not in front:
            groups[record.shown_state][0].append(record)
    for name, (members, line) in groups.items():
        if members:
            figure.add_trace(_curves_trace(members, name, line, 4, marked=len(drawn) <= _FEW))
    for variant, members in by_variant(record for record in drawn if record.number in front).items():
        style = look(variant)
        trace = _curves_trace(members, f"front: {variant}", {"color": style.colour, "width": 2}, 7, marked=True)
        figure.add_trace(trace.update(marker={"symbol": style.symbol}))
    tokens = [point.tokens for record in records for point in record.curve if point.tokens > 0] or [1]
    low, high = min(tokens) * 0.85, max(tokens) * 1.18
    values = sorted(set(tokens))
    ticks = values if len(values) <= 8 else log_ticks(low, high, "parameters")[0]
    figure.update_layout(
        **plot_layout(480),
        xaxis=axis("training tokens", [math.log10(low), math.log10(high)], ticks, map(format_count, ticks)),
        yaxis={"gridcolor": RULE, "zeroline": False, "automargin": True},
    )
    add_axis_title(figure, "validation loss, nats per token")
    return figure


def _curves_trace(
    records: Sequence[TrialRecord], name: str, line: dict[str, Any], size: int, *, marked: bool
) -> go.Scatter:
    """All curves of a group as one trace, with a gap between two: hundreds of trials stay quick to draw."""
    x: list[float | None] = []
    y: list[float | None] = []
    numbers: list[int] = []
    for record in records:
        points = [point for point in record.curve if math.isfinite(point.loss)]
        x += [*(point.tokens for point in points), None]
        y += [*(point.loss for point in points), None]
        numbers += [record.number] * (len(points) + 1)
    return go.Scatter(
        x=x,
        y=y,
        customdata=numbers,
        meta={"curves": True},
        hovertemplate="trial %{customdata}: loss %{y:.3f} after %{x:,d} tokens<extra></extra>",
        mode="lines+markers" if marked else "lines",
        name=name,
        line=line,
        marker={"size": size},
        connectgaps=False,
    )
