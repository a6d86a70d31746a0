"""The picture of `benchmarks.paper_memory.command`: every allocation's memory in units of 14 vanilla layers' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.paper_memory.profiles import BASELINE, BATCHES, Condition, Profiles
from benchmarks.paper_memory.tables import TARGET, Model, is_deep, ways
from msarch.atomic_files import atomic_write
from search.show.palette import INK, MUTED, RULE, WARNING, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: Any = {"font.size": 9.5, "svg.hashsalt": "msarch", "svg.fonttype": "path"}
_VANILLA = ("6@1", "10@1", "14@1", "18@1")


def write_plot(file: Path, profiles: Profiles) -> None:
    """Write the picture, as .svg or .png."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure = draw(profiles)
        with atomic_write(file) as temporary:
            metadata: Any = {"Date": None} if file.suffix == ".svg" else {}
            figure.savefig(temporary, dpi=200, metadata=metadata)


def draw(profiles: Profiles) -> Figure:
    """One panel for each batch; a row for each allocation, by variant, from least to most memory."""
    from matplotlib.figure import Figure

    models = _rows(profiles)
    figure = Figure(figsize=(9.0, 5.9), layout="constrained")
    panels = figure.subplots(1, len(BATCHES), sharey=True)
    for axes, batch in zip(panels, BATCHES, strict=True):
        for place, model in enumerate(models):
            _draw_row(axes, profiles, model, batch, _height(models, place))
        _dress(axes, batch)
    heights = [_height(models, place) for place in range(len(models))]
    panels[0].set_yticks(heights, [layers for _, layers in models])
    for label, (variant, _) in zip(panels[0].get_yticklabels(), models, strict=True):
        label.set_color(look(variant).colour)
    panels[0].set_ylim(max(heights) + 0.8, -1.7)
    _name_variants(panels[0], models)
    _name_lines(panels[0])
    words = "memory of a training step, in units of 14 vanilla layers under the same condition without checkpointing"
    figure.supxlabel(words, color=MUTED, fontsize=9.5)
    _explain(figure, panels[0])
    return figure


def _rows(profiles: Profiles) -> list[Model]:
    shown = [model for model in profiles.models if is_deep(model) or (model[0] == "vanilla" and model[1] in _VANILLA)]
    order = list(dict.fromkeys(variant for variant, _ in shown))
    today = Condition(BATCHES[-1], "fused", "chunked", "none")
    return sorted(shown, key=lambda model: (order.index(model[0]), profiles.memory(model, today)))


def _height(models: Sequence[Model], place: int) -> float:
    """Rows one apart, with room for a name above each variant."""
    variants = list(dict.fromkeys(variant for variant, _ in models))
    return place + 1.15 * variants.index(models[place][0])


def _draw_row(axes: Axes, profiles: Profiles, model: Model, batch: int, y: float) -> None:
    plain = [condition for condition in ways("none") if condition.batch_size == batch]
    then, now = plain[0], plain[-1]
    spread = [profiles.memory(model, condition) for condition in plain]
    colour = look(model[0]).colour
    axes.plot([min(spread), max(spread)], [y, y], color=colour, linewidth=5, alpha=0.22, solid_capstyle="round")
    shared: dict[str, Any] = {"edgecolors": colour, "linewidths": 1.4}
    axes.scatter([profiles.memory(model, then)], [y], s=34, facecolors="white", zorder=4, **shared)
    axes.scatter([profiles.memory(model, now)], [y], s=36, color=colour, zorder=5)
    checkpointed = profiles.memory(model, replace(now, checkpointing="block"), against=now)
    axes.scatter([checkpointed], [y], s=26, marker="D", color=colour, zorder=5)


def _dress(axes: Axes, batch: int) -> None:
    axes.axvline(1, color=INK, linewidth=0.9, zorder=1)
    axes.axvline(TARGET, color=WARNING, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlim(0, 1.48)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1, 1.25])
    axes.set_title(f"batch {batch}", loc="left", color=INK, fontsize=10.5, fontweight="bold")
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(colors=MUTED, length=0)


def _name_variants(axes: Axes, models: Sequence[Model]) -> None:
    for place, (variant, _) in enumerate(models):
        if place == 0 or models[place - 1][0] != variant:
            text = variant if variant == BASELINE[0] else f"{variant}, 30 layers"
            y = _height(models, place) - 0.85
            axes.text(
                -0.02,
                y,
                text,
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="center",
                fontweight="bold",
                color=look(variant).colour,
            )


def _name_lines(axes: Axes) -> None:
    shared: dict[str, Any] = {"va": "center", "fontsize": 8.5}
    axes.text(TARGET - 0.02, -1.2, f"the paper: {TARGET}", color=WARNING, ha="right", **shared)
    axes.text(1.02, -1.2, "14 vanilla layers", color=INK, **shared)


def _explain(figure: Figure, axes: Axes) -> None:
    """The legend, in grey: shapes say the condition, colours the variant."""
    marks = [
        axes.scatter([], [], s=34, facecolors="white", edgecolors=MUTED, linewidths=1.4),
        axes.scatter([], [], s=36, color=MUTED),
        axes.plot([], [], color=MUTED, linewidth=5, alpha=0.3, solid_capstyle="round")[0],
        axes.scatter([], [], s=26, marker="D", color=MUTED),
    ]
    names = [
        "as in 2020: unfused attention, full loss",
        "today: fused, chunked",
        "all four combinations",
        "today, with checkpointing",
    ]
    figure.legend(
        marks,
        names,
        loc="outside upper left",
        ncols=4,
        frameon=False,
        labelcolor=INK,
        fontsize=9,
        handletextpad=0.4,
        columnspacing=1.6,
    )
