"""How the search went: hypervolume against tokens, the options that decided, and every option side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from msarch.units import format_count
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.efficiency import hypervolume_growth
from search.results.front import pareto_front, split
from search.results.variants import usable
from search.show.palette import ACCENT, FAINT, INK, MUTED, PAPER, RULE
from search.show.report.layout import add_axis_title, plot_layout
from search.show.report.parallel_axes import ParallelAxis, parallel_axes
from search.space.objectives import OBJECTIVES


def growth_figure(
    records: Sequence[TrialRecord], objectives: Sequence[str], reference: Mapping[str, float]
) -> go.Figure:
    """Hypervolume of the front so far against training tokens spent, a step for each trained trial."""
    growth = hypervolume_growth(records, objectives, reference)
    texts = [f"after trial {number}" if number >= 0 else "before the first trial" for _, _, number in growth]
    figure = go.Figure(
        go.Scatter(
            x=[tokens for tokens, _, _ in growth],
            y=[round(volume, 5) for _, volume, _ in growth],
            text=texts,
            hovertemplate="%{y:.3f} %{text}<extra></extra>",
            mode="lines",
            line={"shape": "hv", "color": INK, "width": 1.8},
        )
    )
    most = max((tokens for tokens, _, _ in growth), default=0) or 1
    reached = [volume for _, volume, _ in growth if volume > 0]
    low = min(reached, default=0.0)
    high = max(reached, default=1.0)
    ticks = _tokens_ticks(most)
    figure.update_layout(
        **plot_layout(360) | {"showlegend": False},
        xaxis={
            "title": {"text": "training tokens spent by all trials", "font": {"size": 13}},
            "range": [0, most * 1.03],
            "tickvals": ticks,
            "ticktext": [format_count(tick) for tick in ticks],
            "gridcolor": RULE,
            "zeroline": False,
            "automargin": True,
        },
        yaxis={
            "range": [low - 0.15 * (high - low or 1), high + 0.08 * (high - low or 1)],
            "gridcolor": RULE,
            "zeroline": False,
            "automargin": True,
        },
    )
    add_axis_title(figure, "hypervolume")
    return figure


def _tokens_ticks(most: int) -> list[float]:
    """About five round numbers of tokens from 0 on."""
    step = 10.0 ** (len(str(most)) - 1)
    while most / step < 4:
        step /= 2
    return [step * count for count in range(int(most / step) + 1)]


def importance_figure(shares: Mapping[str, float]) -> go.Figure:
    """Shares of importance as bars, the largest on top."""
    names = list(shares)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[shares[name] for name in names],
            y=names,
            orientation="h",
            marker={"color": "#0072b2"},
            text=[f"{shares[name]:.0%}" for name in names],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        **plot_layout(90 + 30 * len(names)) | {"margin": {"l": 64, "r": 48, "t": 8, "b": 36}},
        bargap=0.35,
        xaxis={"visible": False, "range": [0, max(shares.values()) * 1.12], "fixedrange": True},
        yaxis={"automargin": True, "fixedrange": True, "ticks": "", "ticksuffix": "  ", "tickfont": {"color": INK}},
    )
    return figure


def parallel_figure(records: Sequence[TrialRecord], objectives: Sequence[str]) -> go.Figure:
    """Each complete trial as a line through its options and figures; the better it is the more it stands out.

    Made of plain lines, which print well and need no WebGL.
    """
    plane = split(objectives)
    members = sorted(usable(records, plane), key=lambda r: metric(r, OBJECTIVES[plane[0]].key) or 0.0)
    axes = parallel_axes(members, objectives)
    figure = go.Figure()
    for rank, (name, group, line) in reversed(list(enumerate(_groups(members, objectives)))):
        rows = [members.index(record) for record in group]
        figure.add_trace(
            go.Scatter(
                x=[x for _ in rows for x in (*range(len(axes)), None)],
                y=[y for row in rows for y in (*(round(axis.places[row], 4) for axis in axes), None)],
                customdata=[members[row].number for row in rows for _ in range(len(axes) + 1)],
                hovertemplate="trial %{customdata}<extra></extra>",
                meta={"parallel": len(axes) + 1},
                mode="lines",
                name=name,
                opacity=max(0.2, min(1.0, 80 / len(group))) if name != "front" else 1.0,
                line=line,
                legendrank=rank,
            )
        )
    for place, axis in enumerate(axes):
        _draw_axis(figure, place, axis)
    figure.update_layout(
        **plot_layout(460) | {"margin": {"l": 64, "r": 64, "t": 52, "b": 64}},
        xaxis={"visible": False, "range": [-0.25, len(axes) - 0.5], "fixedrange": True},
        yaxis={"visible": False, "range": [-0.06, 1.06], "fixedrange": True},
        showlegend=True,
    )
    return figure


def _groups(
    members: Sequence[TrialRecord], objectives: Sequence[str]
) -> list[tuple[str, list[TrialRecord], dict[str, Any]]]:
    """The front, then the other complete trials by their quality, the best first; and how each group is drawn."""
    front = {record.number for record in pareto_front(members, objectives)}
    rest = [record for record in members if record.number not in front]
    quarter, half = len(rest) // 4, len(rest) // 2
    groups: list[tuple[str, list[TrialRecord], dict[str, Any]]] = [
        ("front", [record for record in members if record.number in front], {"color": ACCENT, "width": 2.2}),
        ("best quarter of the others", rest[:quarter], {"color": "#56b4e9", "width": 1.2}),
        ("second quarter", rest[quarter:half], {"color": MUTED, "width": 0.8}),
        ("worse half", rest[half:], {"color": FAINT, "width": 0.8}),
    ]
    return [group for group in groups if group[1]]


def _draw_axis(figure: go.Figure, place: int, axis: ParallelAxis) -> None:
    figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, line={"color": MUTED, "width": 1})
    name: dict[str, Any] = {"x": place, "y": 1, "yshift": 16 + 14 * (place % 2), "font": {"size": 12, "color": INK}}
    figure.add_annotation(text=axis.label, showarrow=False, **name)
    for height, text in axis.ticks:
        label: dict[str, Any] = {"x": place, "y": height, "xshift": 4, "xanchor": "left", "bgcolor": PAPER}
        figure.add_annotation(text=text, showarrow=False, opacity=0.9, font={"size": 10, "color": MUTED}, **label)
