"""What the report's figures share: type, axes, and what the pointer shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.tables import trial_row, varying_options
from search.show.palette import INK, MUTED, PAPER, RULE, log_ticks
from search.show.stopped import last_validation
from search.show.terminal.front_table import format_figure, format_option
from search.space.objectives import OBJECTIVES

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif'


_SHOWN = ("memory_bytes", "memory_unfused_bytes", "parameters")
"""Costs that the pointer shows on every axis."""


def hover_texts(records: Sequence[TrialRecord], cost: str = "memory") -> dict[int, str]:
    """What the pointer shows of each trial, by number, as safe markup: architecture, options that vary, figures.

    `cost` is the name of the axis's objective, whose figure is among them.
    """
    options = [name for name in varying_options(records) if name not in ("variant", "layers")]
    return {record.number: "<br>".join(_hover_lines(record, options, cost)) for record in records}


def _hover_lines(record: TrialRecord, options: Sequence[str], cost: str) -> list[str]:
    model = record.candidate.model
    lines = [f"<b>trial {record.number}</b> {escape(record.shown_state)}"]
    lines.append(f"{escape(model.variant)} <b>{escape(model.layers)}</b>")
    row = trial_row(record)
    chosen = [f"{name} {format_option(row[name])}" for name in options if row[name] is not None]
    lines += [escape(", ".join(chosen[start : start + 3])) for start in range(0, len(chosen), 3)]
    if record.loss is not None:
        figures = [format_figure(record, key) for key in ("perplexity", "bits_per_byte")]
        lines.append(f"perplexity {figures[0]}, bits per byte {figures[1]}")
    elif stopped := last_validation(record):
        lines.append(stopped)
    fused, unfused = (format_figure(record, key) for key in ("memory_bytes", "memory_unfused_bytes"))
    lines.append(f"memory {fused}, unfused {unfused}")
    lines.append(f"{format_figure(record, 'parameters')} parameters")
    key = OBJECTIVES[cost].key
    if key not in _SHOWN and metric(record, key) is not None:
        lines.append(f"{OBJECTIVES[cost].label} {format_figure(record, key)}")
    lines += [escape(text) for text in (record.violation, record.error) if text]
    return lines


def log_axis(low: float, high: float, objective: str) -> dict[str, Any]:
    values, labels = log_ticks(low, high, objective)
    return axis(OBJECTIVES[objective].label, [math.log10(low), math.log10(high)], values, labels)


def axis(title: str, ends: list[float], values: Sequence[float], labels: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "log",
        "title": {"text": title, "font": {"size": 13}},
        "range": ends,
        "tickvals": list(values),
        "ticktext": list(labels),
        "gridcolor": RULE,
        "zeroline": False,
        "automargin": True,
        "ticklabelstandoff": 6,  # so that the first labels of two axes do not meet in the corner
        "minor": {"ticks": ""},
    }


def add_axis_title(figure: go.Figure, text: str) -> None:
    """The title of the vertical axis, written above it: no head is turned, and no width lost."""
    figure.add_annotation(
        text=text,
        xref="paper",
        yref="paper",
        x=0,
        y=1,
        xanchor="left",
        yanchor="bottom",
        yshift=2,
        showarrow=False,
        font={"size": 13, "color": MUTED},
    )


def plot_layout(height: int) -> dict[str, Any]:
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 64, "r": 18, "t": 52, "b": 96},
        "font": {"family": FONT, "size": 13, "color": MUTED},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        "hoverlabel": {"align": "left", "bgcolor": PAPER, "bordercolor": RULE, "font": {"color": INK, "family": FONT}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": INK},
    }
