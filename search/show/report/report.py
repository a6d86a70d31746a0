"""report.html: a search on one page that needs no network, with Plotly and its figures inside.

All text that a user wrote is escaped; the page's own policy forbids it to fetch anything.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from msarch.atomic_files import atomic_write
from search.ledger.records import TrialRecord
from search.results.front import best, hypervolume, knee, pareto_front, reference_point, split
from search.show.palette import formatter
from search.show.report.page import PAGE, SCRIPT, STYLE
from search.show.report.table import trials_table
from search.show.terminal.front_table import format_figure
from search.space.objectives import OBJECTIVES

STATES = ("complete", "pruned", "infeasible", "duplicate", "failed", "running")


def write_report(
    path: Path,
    records: Sequence[TrialRecord],
    *,
    title: str,
    objectives: Sequence[str],
    limits: dict[str, int],
    environment: dict[str, Any],
    results: str,
    conditions: str = "",
) -> None:
    """Writes the page to `path`, whole or not at all.

    `title` names the space; `limits` are in the limits' own units; `environment` holds plain values;
    `results` is the folder as it is typed after `msarch reproduce`; `conditions` are those of the costs where
    they are not as trained.
    """
    ordered = sorted(records, key=lambda record: record.number)
    front = {record.number for record in pareto_front(ordered, objectives)}
    headings, rows = trials_table(ordered, front)
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(PAGE)
    text = page.render(
        title=title,
        style=Markup(STYLE),
        script=Markup(SCRIPT),
        plotly=Markup(plotly_source()),
        counts=[
            *_counts(ordered, limits),
            *([f"memory with {conditions}, perplexity as trained"] if conditions else []),
        ],
        cards=_cards(ordered, objectives, limits, results),
        plots=_plots(ordered, objectives, limits, conditions),
        columns=headings,
        rows=rows,
        notes=[*([_CONDITIONS.format(conditions)] if conditions else []), *_NOTES],
        environment=_flat(environment),
    )
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def plotly_source() -> str:
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return source


def _counts(records: Sequence[TrialRecord], limits: Mapping[str, int]) -> list[str]:
    counts = Counter[str](record.state for record in records)
    words = [f"{len(records)} {'trial' if len(records) == 1 else 'trials'}"]
    words += [f"{counts[state]} {state}" for state in STATES if counts[state]]
    words += [f"{name.replace('_', ' ')} at most {formatter(name)(limit)}" for name, limit in limits.items()]
    return words


def _cards(
    records: Sequence[TrialRecord], objectives: Sequence[str], limits: Mapping[str, int], results: str
) -> list[dict[str, str]]:
    quality = split(objectives)[0]
    found = {"Best": best(records, quality=quality), "Knee of the front": knee(records, objectives)}
    cards = [_trial_card(name, record, objectives, results) for name, record in found.items() if record]
    if not cards:
        return [_card("No front yet", "0 trials complete", "No trial has been trained to its end.")]
    reference = reference_point(records, objectives, limits)
    where = ", ".join(f"{OBJECTIVES[name].label} {formatter(name)(value)}" for name, value in reference.items())
    volume = hypervolume(records, objectives, reference=reference)
    axes = " × ".join(_volume_axis(name) for name in objectives)
    size = len(pareto_front(records, objectives))
    on_front = f"{size} {'trial' if size == 1 else 'trials'} on the front"
    text = f"{on_front}. Measured over {axes}, from the reference point {where}."
    return [*cards, _card("Hypervolume", f"{volume:.3f}", text)]


def _card(title: str, figure: str, text: str, command: str = "") -> dict[str, str]:
    return {"title": title, "figure": figure, "text": text, "command": command}


def _volume_axis(objective: str) -> str:
    if objective == "perplexity":
        return "loss in nats"
    return OBJECTIVES[objective].label if OBJECTIVES[objective].quality else f"log {OBJECTIVES[objective].label}"


def _trial_card(title: str, record: TrialRecord, objectives: Sequence[str], results: str) -> dict[str, str]:
    model = record.candidate.model
    figures = [format_figure(record, OBJECTIVES[name].key) for name in split(objectives)]
    quality = OBJECTIVES[split(objectives)[0]].label.removeprefix("validation ")
    text = f"{model.variant} {model.layers}, d_model {model.d_model}, {format_figure(record, 'parameters')} parameters"
    command = f"msarch reproduce {shlex.quote(results)} --trial {record.number}"
    figure = f"{quality} {figures[0]} at {figures[1]}".replace(" ", "\u00a0")
    return _card(f"{title}: trial {record.number}", figure, text, command)


def _plots(
    records: Sequence[TrialRecord], objectives: Sequence[str], limits: Mapping[str, int], conditions: str
) -> list[dict[str, str | Markup]]:
    from search.show.report.curves import curves_figure
    from search.show.report.figures import trade_off_figure

    quality = split(objectives)[0]
    costs = [name for name in objectives if not OBJECTIVES[name].quality] or ["memory"]
    plots: list[dict[str, str | Markup]] = []
    for number, cost in enumerate(costs):
        figure = trade_off_figure(records, quality, cost, objectives, limits, conditions)
        heading = f"{OBJECTIVES[quality].label} against {OBJECTIVES[cost].label}"
        plots.append(
            {"title": heading.capitalize(), "caption": _CAPTION, "html": figure_html(figure, f"front-{number}")}
        )
    curves = figure_html(curves_figure(records, objectives), "curves")
    return [*plots, {"title": "Validation curves", "caption": _CURVES_CAPTION, "html": curves}]


_CAPTION = (
    "Lower and further left is better. Large outlined points are on the front; hollow ones were pruned and stand at "
    "their last validation; ticks in the strip above were never trained, at what they would have needed."
)
_CURVES_CAPTION = "Trials on the front are coloured; pruned ones are dashed. Click a legend entry to hide it."


def figure_html(figure: Any, name: str) -> Markup:
    unused = ["select2d", "lasso2d", "autoScale2d"]
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": unused}
    html = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)
    return Markup(html)


_CONDITIONS = (
    "What if: memory, cache and operations are those of a training step with {}. Perplexity, times and curves are as "
    "trained, under each trial's own conditions. Only complete trials are shown."
)
_NOTES = [
    "Memory is the predicted peak of one full training step of exactly what was trained; unfused is the same with "
    "attention that keeps its scores. A measured figure stands beside it where a GPU measured one.",
    "Each trial can be reproduced. The order of trials in a parallel search cannot: another run of the same "
    "search may propose others. With one trial at a time it is the same.",
    "Perplexity compares within one corpus and one tokenizer only; bits per byte within one corpus.",
]


def _flat(environment: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values of the environment as people read them; nested ones as `torch.version`."""
    lines: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            lines.append((f"{prefix}{name}".replace("_", " "), shown))
    return lines
