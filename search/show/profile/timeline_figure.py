"""Live bytes through a training step, stacked and coloured by kind, and the peak taken apart layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from msarch.memory.memory_profile import MEMORY_KINDS, MemoryProfile
from msarch.units import format_bytes
from search.show.palette import INK, MUTED, PAPER, RULE
from search.show.profile.words import KIND_WORDS, short_operation
from search.show.report.layout import plot_layout

if TYPE_CHECKING:
    from msarch.memory.breakdown import Timeline

KIND_COLOURS = {
    "parameters": "#0072b2",
    "optimizer": "#56b4e9",
    "gradients": "#009e73",
    "activations": "#e69f00",
    "loss": "#d55e00",
    "temporaries": "#cc79a7",
}
"""From the bottom of the stack to its top; the colours of Okabe and Ito."""
_MOST_POINTS = 4000
_PHASES = {"forward": "forward", "loss": "loss", "backward": "backward", "optimizer": "update"}


def timeline_figure(timeline: Timeline) -> go.Figure:
    """Bytes after each operation, by kind; phases are marked, and the peak. Hovering names the operation."""
    shown = _shown(timeline)
    live, totals = timeline.live[shown], timeline.live[shown].sum(axis=1)
    figure = go.Figure()
    for kind, colour in KIND_COLOURS.items():
        sizes = live[:, MEMORY_KINDS.index(kind)]
        figure.add_trace(
            go.Scatter(
                x=shown,
                y=sizes,
                name=KIND_WORDS[kind],
                stackgroup="live",
                mode="lines",
                fillcolor=colour,
                line={"width": 0, "color": colour, "shape": "hv"},
                text=[format_bytes(size) for size in sizes],
                hovertemplate="%{text}",
            )
        )
    names = [f"{short_operation(timeline.operations[i])} · {timeline.layers[i]} · {timeline.phases[i]}" for i in shown]
    texts = [f"<b>{format_bytes(size)}</b>  {escape(name)}" for name, size in zip(names, totals, strict=True)]
    figure.add_trace(
        go.Scatter(
            x=shown,
            y=totals,
            name="all",
            mode="lines",
            line={"width": 1, "color": INK, "shape": "hv"},
            text=texts,
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )
    high = float(totals.max())
    _mark_phases(figure, timeline.phases)
    _mark_peak(figure, timeline, high)
    figure.update_layout(
        **plot_layout(580) | {"margin": {"l": 90, "r": 20, "t": 60, "b": 96}},
        hovermode="x unified",
        xaxis={
            "title": {"text": "operation of the step"},
            "range": [0, len(timeline.phases)],
            "gridcolor": RULE,
            "zeroline": False,
            "showgrid": False,
            "tickformat": ",d",
        },
        yaxis=bytes_axis(high * 1.12) | {"title": {"text": "bytes alive"}},
    )
    return figure


def _shown(timeline: Timeline) -> NDArray[np.int64]:
    """The operations that are drawn: all, or of each few the one at which most was alive."""
    totals = timeline.live.sum(axis=1)
    parts = np.array_split(np.arange(len(totals)), min(len(totals), _MOST_POINTS))
    return np.array([part[totals[part].argmax()] for part in parts])


def _mark_phases(figure: go.Figure, phases: Sequence[str]) -> None:
    start = 0
    for number, (phase, members) in enumerate(groupby(phases)):
        end = start + len(list(members))
        if number:
            line = {"color": MUTED, "width": 1, "dash": "dot"}
            figure.add_shape(type="line", x0=start, x1=start, y0=0, y1=1, yref="paper", line=line)
        # A narrow phase is named to the right of its beginning, whatever comes after it.
        wide = end - start > 0.06 * len(phases)
        figure.add_annotation(
            x=(start + end) / 2 if wide else start,
            y=1 if wide else 0.955,
            yref="paper",
            yanchor="bottom",
            text=_PHASES.get(phase, phase),
            showarrow=False,
            xanchor="center" if wide else "left",
            xshift=0 if wide else 3,
            font={"color": MUTED, "size": 13},
        )
        start = end


def _mark_peak(figure: go.Figure, timeline: Timeline, high: float) -> None:
    left = timeline.peak > len(timeline.phases) / 2
    figure.add_annotation(
        x=timeline.peak,
        y=high,
        text=f"<b>peak {format_bytes(high)}</b> {escape(timeline.layers[timeline.peak])}",
        showarrow=True,
        arrowhead=2,
        arrowcolor=INK,
        ax=-50 if left else 50,
        ay=-18,
        font={"color": INK, "size": 14},
        xanchor="right" if left else "left",
        bgcolor=PAPER,
    )


def layers_figure(profile: MemoryProfile) -> go.Figure:
    """The peak, layer by layer in the order of computation, stacked by kind."""
    layers = list(profile.by_layer)
    figure = go.Figure()
    for kind, colour in KIND_COLOURS.items():
        sizes = {part.layer: part.size for part in profile.parts if part.kind == kind}
        if sizes:
            values = [sizes.get(layer, 0) for layer in layers]
            figure.add_trace(
                go.Bar(
                    y=layers,
                    x=values,
                    name=KIND_WORDS[kind],
                    orientation="h",
                    marker={"color": colour, "line": {"width": 0}},
                    text=[format_bytes(value) for value in values],
                    textposition="none",
                    hovertemplate="%{text}",
                )
            )
    layout = plot_layout(140 + 18 * len(layers)) | {"margin": {"l": 130, "r": 20, "t": 8, "b": 96}}
    figure.update_layout(
        **layout,
        barmode="stack",
        bargap=0.25,
        hovermode="y unified",
        xaxis=bytes_axis(max(profile.by_layer.values()) * 1.03) | {"title": {"text": "bytes at the peak"}},
        yaxis={"autorange": "reversed", "automargin": True, "dtick": 1, "tickfont": {"size": 12}, "ticks": ""},
    )
    return figure


def bytes_axis(high: float) -> dict[str, Any]:
    """A linear axis from 0 with about six ticks at round numbers of bytes."""
    step = 2.0 ** math.ceil(math.log2(high / 8))
    if high / step < 5:
        step /= 2
    values = [step * number for number in range(int(high / step) + 1)]
    return {
        "range": [0, high],
        "tickvals": values,
        "ticktext": [format_bytes(value) for value in values],
        "gridcolor": RULE,
        "zeroline": False,
    }
