"""What each variant can do: its own front on shared axes, and a table of what it reaches at each doubling of a cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from msarch.units import format_bytes
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.results.variants import BASELINE, Budget, VariantFront, budgets, usable, variant_fronts
from search.show.palette import PAPER, formatter, look
from search.show.report.figures import HoverTexts
from search.show.report.layout import add_axis_title, hover_texts, log_axis, plot_layout
from search.show.terminal.front_table import MISSING, format_figure
from search.show.view import cost_span, quality_span
from search.space.objectives import OBJECTIVES


def variants_figure(
    records: Sequence[TrialRecord], plane: tuple[str, str], reference: Mapping[str, float], texts: HoverTexts | None
) -> go.Figure:
    """One front per variant as a line with its models, all on the same axes; `texts` as for `trade_off_figure`."""
    quality, cost = plane
    texts = hover_texts(records, cost) if texts is None else texts
    figure = go.Figure()
    costs, levels, front = _extent(records, plane)
    left, right = cost_span(costs, None)
    bottom, top = quality_span(levels, front)
    for each in variant_fronts(records, plane, reference):
        style = look(each.variant)
        points = [(metric(r, OBJECTIVES[cost].key), metric(r, OBJECTIVES[quality].key)) for r in each.front]
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in points],
                y=[y for _, y in points],
                customdata=[record.number for record in each.front],
                hovertext=[texts.get(record.number, "") for record in each.front],
                hoverinfo="text",
                meta={"x": OBJECTIVES[cost].key, "y": OBJECTIVES[quality].key},
                mode="lines+markers",
                name=each.variant,
                line={"shape": "hv", "color": style.colour, "width": 2},
                marker={"symbol": style.symbol, "size": 10, "line": {"color": PAPER, "width": 1}},
            )
        )
    figure.update_layout(
        **plot_layout(440),
        xaxis=log_axis(left, right, cost),
        yaxis=log_axis(bottom, top, quality) | {"title": {"text": ""}},
        showlegend=True,
    )
    add_axis_title(figure, OBJECTIVES[quality].label)
    return figure


def _extent(records: Sequence[TrialRecord], plane: tuple[str, str]) -> tuple[list[float], list[float], list[float]]:
    """Costs and qualities of all variants' fronts, and the qualities of the front of them all."""
    quality, cost = (OBJECTIVES[name].key for name in plane)
    fronts = variant_fronts(records, plane, {plane[0]: math.inf, plane[1]: math.inf})
    shown = [record for each in fronts for record in each.front]
    costs = [value for record in shown if (value := metric(record, cost)) is not None]
    levels = [value for record in shown if (value := metric(record, quality)) is not None]
    front = [value for record in pareto_front(records, plane) if (value := metric(record, quality)) is not None]
    return costs, levels, front


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantTable:
    """What stands below the figure.

    Attributes:
        variants: a column each: name, colour, how many trials are complete, hypervolume.
        rows: a budget, the best figure of each variant within it (the best of all marked), and what multi-scale buys.
        cost: the label of the cost.
        gain: whether vanilla and others are there, so that the last column says something.
        unit: of that column.
    """

    variants: list[dict[str, str]]
    rows: list[dict[str, object]]
    cost: str
    gain: bool
    unit: str


def variants_table(
    records: Sequence[TrialRecord], plane: tuple[str, str], reference: Mapping[str, float]
) -> VariantTable:
    """Hypervolume and best models by variant, in the plane of a quality and a cost."""
    quality, cost = plane
    fronts = variant_fronts(records, plane, reference)
    names = [each.variant for each in fronts]
    return VariantTable(
        variants=[_column(each) for each in fronts],
        rows=[_row(budget, names, quality, cost) for budget in budgets(records, plane)],
        cost=OBJECTIVES[cost].label,
        gain=BASELINE in names and len(names) > 1,
        unit="nats" if quality == "perplexity" else "bits",
    )


def _column(each: VariantFront) -> dict[str, str]:
    return {
        "name": each.variant,
        "colour": look(each.variant).colour,
        "complete": f"{each.complete:,}",
        "volume": f"{each.hypervolume:.3f}",
    }


def _row(budget: Budget, variants: Sequence[str], quality: str, cost: str) -> dict[str, object]:
    key = OBJECTIVES[quality].key
    figures = {variant: metric(record, key) for variant, record in budget.best.items()}
    top = min((value for value in figures.values() if value is not None), default=None)
    cells = [
        {
            "text": format_figure(budget.best[variant], key) if variant in budget.best else MISSING,
            "layers": budget.best[variant].candidate.model.layers if variant in budget.best else "",
            "best": variant in figures and figures[variant] == top,
        }
        for variant in variants
    ]
    gain = budget.gain(quality)
    return {
        "budget": f"at most {format_bytes(budget.cost) if OBJECTIVES[cost].unit == 'bytes' else _plain(cost, budget)}",
        "cells": cells,
        "gain": _gain_text(gain, quality) if gain is not None else MISSING,
    }


def _plain(cost: str, budget: Budget) -> str:
    return formatter(cost)(budget.cost)


def _gain_text(gain: float, quality: str) -> str:
    """``0.052 nats better (5.1 %)``; the share is of vanilla's perplexity."""
    word = "better" if gain > 0 else "worse"
    if abs(gain) < 0.0005:
        return "equal"
    share = f" ({abs(1 - math.exp(-gain)):.1%})".replace("%", "\u00a0%") if quality == "perplexity" else ""
    return f"{abs(gain):.3f} {word}{share}"


def variant_columns_used(records: Sequence[TrialRecord], plane: tuple[str, str]) -> bool:
    """Whether there is anything to compare: two variants with a complete trial."""
    return len({record.candidate.model.variant for record in usable(records, plane)}) > 1
