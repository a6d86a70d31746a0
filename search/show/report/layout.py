"""What the report's figures share: type, axes, and what stands beside the pointer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from msarch.config.variants import VARIANTS
from msarch.perplexity import perplexity
from msarch.units import format_count
from search.ledger.records import TrialRecord
from search.show.palette import INK, MUTED, RULE, log_ticks
from search.show.terminal.front_table import format_figure
from search.space.objectives import OBJECTIVES

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif'


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
    named = ("pool", "combine", "aggregation", "shortening", "upsampling")
    chosen = [name for name in named if name in VARIANTS[model.variant].options]
    if chosen:
        lines.append(", ".join(f"{name} {getattr(model, name)}" for name in chosen))
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


def log_axis(low: float, high: float, objective: str) -> dict[str, Any]:
    values, labels = log_ticks(low, high, objective)
    return axis(OBJECTIVES[objective].label, [math.log10(low), math.log10(high)], values, labels)


def axis(title: str, ends: list[float], values: Sequence[float], labels: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "log",
        "title": {"text": title},
        "range": ends,
        "tickvals": list(values),
        "ticktext": list(labels),
        "gridcolor": RULE,
        "zeroline": False,
        "minor": {"ticks": ""},
    }


def plot_layout(height: int) -> dict[str, Any]:
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 90, "r": 20, "t": 32, "b": 96},
        "font": {"family": FONT, "size": 13, "color": MUTED},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": INK, "family": FONT}},
    }
