"""A still picture of the front for papers and READMEs, through matplotlib, which needs no browser."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.atomic_files import atomic_write
from msarch.errors import UserError, quoted
from search.ledger.metrics import latest_quality, metric, objective_values
from search.ledger.records import TrialRecord
from search.results.front import pareto_front, split
from search.show.palette import INK, MUTED, RULE, WARNING, formatter, log_ticks, look
from search.show.stopped import stopped_word
from search.space.objectives import DEFAULT_OBJECTIVES, OBJECTIVES, label_under

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

_STYLE: Any = {"font.size": 10, "svg.hashsalt": "msarch", "svg.fonttype": "path"}
_IN_A_ROW = 6
"""Names that a row of the legend has room for."""
SUFFIXES = (".png", ".svg", ".pdf")
# where a label may stand around its point, in points: below left first, where a front leaves room
_OFFSETS = [(-7, -9), (-7, 7), (7, 8), (7, -10), (-9, -20), (9, 19), (-9, -31), (9, 30), (-9, -42), (9, 41)]


def write_plot(
    path: Path,
    records: Sequence[TrialRecord],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    limits: Mapping[str, int] | None = None,
    title: str = "",
    conditions: str = "",
) -> None:
    """Writes `front_figure` as .png, .svg or .pdf, by the suffix of `path`. Raises UserError on another."""
    from matplotlib import rc_context

    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"cannot draw {quoted(path.name)}: its name must end in one of {', '.join(SUFFIXES)}")
    figure = front_figure(records, objectives, limits, title, conditions)
    with atomic_write(path) as temporary, rc_context(_STYLE):
        # without a date the same search gives the same bytes
        metadata: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})
        figure.savefig(temporary, dpi=200, metadata=metadata)


def front_figure(
    records: Sequence[TrialRecord],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    limits: Mapping[str, int] | None = None,
    title: str = "",
    conditions: str = "",
) -> Figure:
    """Trials and the front in the plane of the first quality and the first cost, both logarithmic.

    The axes span the complete trials: those stopped so early that they lie above are left out. `conditions` are
    those of the costs where they are not as trained.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.5), layout="constrained")
        axes = figure.add_subplot()
        plane = split(objectives)
        points = _points(records, plane)
        front = pareto_front(records, plane)
        _draw_trials(axes, points, {record.number for record in front})
        _draw_stopped(axes, records, plane, max((y for _, y, _ in points), default=math.inf))
        _draw_front(axes, [objective_values(record, plane) or () for record in front])
        _dress(axes, [(x, y) for x, y, _ in points], plane, (limits or {}).get(plane[1]), title)
        _label_axes(axes, plane, conditions)
        figure.draw_without_rendering()  # settles the layout, which the labels need
        on_front = [point for point in points if any(point[2] is record for record in front)]
        _label_front(axes, on_front, FigureCanvasAgg(figure).get_renderer())
    return figure


def _points(records: Sequence[TrialRecord], plane: tuple[str, str]) -> list[tuple[float, float, TrialRecord]]:
    complete = [record for record in records if record.state == "complete"]
    figures = [(objective_values(record, plane), record) for record in complete]
    return [(values[1], values[0], record) for values, record in figures if values]


def _draw_trials(axes: Axes, points: Sequence[tuple[float, float, TrialRecord]], front: set[int]) -> None:
    for variant in dict.fromkeys(record.candidate.model.variant for _, _, record in points):
        style = look(variant)
        members = [point for point in points if point[2].candidate.model.variant == variant]
        on, off = ([(x, y) for x, y, r in members if (r.number in front) is wanted] for wanted in (True, False))
        shared: dict[str, Any] = {"marker": style.marker, "color": style.colour}
        axes.scatter(*_columns(off), s=26, alpha=0.5, linewidths=0, **shared)
        axes.scatter(*_columns(on), s=58, edgecolors=INK, linewidths=0.9, zorder=4, **shared)
        axes.scatter([], [], s=40, label=variant, **shared)


def _draw_stopped(axes: Axes, records: Sequence[TrialRecord], plane: tuple[str, str], highest: float) -> None:
    shared: dict[str, Any] = {"facecolors": "none", "linewidths": 0.7}
    stopped = [record for record in records if record.state == "pruned"]
    figures = [(metric(r, OBJECTIVES[plane[1]].key), latest_quality(r, plane[0]), r) for r in stopped]
    shown = [(x, y, record) for x, y, record in figures if x is not None and y is not None and y <= highest]
    for x, y, record in shown:
        style = look(record.candidate.model.variant)
        axes.scatter([x], [y], s=20, marker=style.marker, edgecolors=style.colour, alpha=0.6, **shared)
    if shown:
        name = stopped_word(record for _, _, record in shown)
        axes.scatter([], [], s=28, marker="o", edgecolors=MUTED, label=name, **shared)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _draw_front(axes: Axes, values: Sequence[tuple[float, ...]]) -> None:
    if values:
        quality, cost = zip(*values, strict=True)
        axes.step(cost, quality, where="post", color=INK, linewidth=1.1, zorder=3, label="front")


def _dress(
    axes: Axes, points: Sequence[tuple[float, float]], plane: tuple[str, str], limit: int | None, title: str
) -> None:
    quality, cost = plane
    axes.set_xscale("log")
    axes.set_yscale("log")
    costs = [x for x, _ in points] + ([limit] if limit else [])
    _set_ticks(axes.xaxis, costs, cost, 0.14)
    _set_ticks(axes.yaxis, [y for _, y in points], quality, 0.12)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=MUTED, length=0)
    if limit:
        axes.axvline(limit, color=WARNING, linewidth=1.1, linestyle="--")
        text, transform = f" limit {formatter(cost)(limit)}", axes.get_xaxis_transform()
        axes.text(limit, 0.98, text, color=WARNING, va="top", transform=transform, fontsize=9)
    rows = _legend(axes) if points else 0
    axes.set_title(title, loc="left", color=INK, fontweight="bold", pad=10 + 14 * max(1, rows))
    if not points:
        axes.text(0.5, 0.5, "no trial is complete", transform=axes.transAxes, ha="center", color=MUTED)


def _legend(axes: Axes) -> int:
    """Names what is drawn, above the axes; in how many rows."""
    count = len(axes.get_legend_handles_labels()[1])
    rows = math.ceil(count / _IN_A_ROW)
    axes.legend(
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1),
        ncols=math.ceil(count / rows),
        labelcolor=INK,
        fontsize=9,
        handletextpad=0.3,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
    return rows


def _label_axes(axes: Axes, plane: tuple[str, str], conditions: str) -> None:
    quality, cost = (label_under(name, conditions) for name in plane)
    axes.set_xlabel(cost, color=MUTED)
    axes.set_ylabel(quality, color=MUTED)


def _set_ticks(axis: Any, values: Sequence[float], objective: str, margin: float) -> None:
    """Limits with a margin as a share of the axis, and ticks that people can read."""
    from matplotlib.ticker import NullLocator

    low, high = (min(values), max(values)) if values else (1.0, 10.0)
    spread = max(high / low, 1.2) ** margin
    low, high = low / spread, high * spread
    ticks, labels = log_ticks(low, high, objective)
    axis.set_view_interval(low, high, ignore=True)
    axis.set_ticks(ticks, labels)
    axis.set_minor_locator(NullLocator())


def _label_front(axes: Axes, front: Sequence[tuple[float, float, TrialRecord]], renderer: RendererAgg) -> None:
    """Writes each front point's layer allocation where it covers no point and no other label, or not at all."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    pixels = [axes.transData.transform((x, y)) for x, y, _ in front]
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in pixels]
    for x, y, record in front:
        for offset in _OFFSETS:
            label = _label(axes, (x, y), offset, record.candidate.model.layers)
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer).padded(1)
            inside = axes.bbox.fully_containsx(box.x0) and axes.bbox.fully_containsy(box.y0)
            if inside and axes.bbox.fully_containsx(box.x1) and not box.count_overlaps(taken):
                taken.append(box)
                break
            label.remove()


def _label(axes: Axes, point: tuple[float, float], offset: tuple[int, int], text: str) -> Annotation:
    side = "right" if offset[0] < 0 else "left"
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.5} if abs(offset[1]) > 15 else None
    return axes.annotate(
        text,
        point,
        offset,
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=8,
        color=INK,
        zorder=5,
        arrowprops=line,
    )
