"""What is written into the trade-off: which model is the best, where the knee is, and the limit of the search."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from search.ledger.records import TrialRecord
from search.results.front import best, knee, pareto_front
from search.show.palette import INK, WARNING, formatter


def add_marks(figure: go.Figure, points: Sequence[tuple[float, float, TrialRecord]], quality: str, cost: str) -> None:
    """Names the best model, and the knee of a front that is long enough to have one; one label where both are one.

    `points` are the complete trials, each with its cost and its quality.
    """
    places = {record.number: (math.log10(x), math.log10(y)) for x, y, record in points}
    records = [record for _, _, record in points]
    front = pareto_front(records, (quality, cost))
    top = best(records, quality=quality)
    bend = knee(records, (quality, cost)) if len(front) > 2 else None
    if top is not None:
        _label(figure, places[top.number], "best, knee" if bend is top else "best", below=True)
    if bend is not None and bend is not top:
        _label(figure, places[bend.number], "knee", below=False)


def _label(figure: go.Figure, place: tuple[float, float], text: str, *, below: bool) -> None:
    """Beside a point, where a front leaves room: below it, or below and to the left."""
    figure.add_annotation(
        x=place[0],
        y=place[1],
        text=text,
        showarrow=False,
        xshift=0 if below else -12,
        yshift=-18 if below else -13,
        xanchor="center" if below else "right",
        font={"size": 13, "color": INK},
    )


def add_limit(figure: go.Figure, cost: str, limit: int, top: float) -> None:
    """A dashed line at the limit on a cost, named below `top`, the share of the height at which the plot ends."""
    figure.add_shape(
        type="line", x0=limit, x1=limit, y0=0, y1=1, yref="paper", line={"color": WARNING, "width": 1.5, "dash": "dash"}
    )
    figure.add_annotation(
        x=math.log10(limit),
        y=top,
        yref="paper",
        text=f"limit {formatter(cost)(limit)}",
        textangle=-90,
        showarrow=False,
        xanchor="left",
        yanchor="top",
        xshift=2,
        yshift=-4,
        font={"color": WARNING, "size": 13},
    )
