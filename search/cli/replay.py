"""`msarch replay`: a search strategy tried on a table of trained models."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich.progress import track
from rich.text import Text

from msarch.errors import UserError, unknown
from search.cli.notes import print_notes
from search.cli.options import keys_as_options
from search.replay.replay import Strategy, replay_once
from search.replay.summary import Figure, Summary, summarize
from search.replay.table import Table, read_table
from search.replay.tally import Replay
from search.show.terminal.console import make_console, print_line
from search.show.terminal.fitted_table import FittedColumn, FittedTable

FORMATS = ("table", "json")


def show_replay(
    folder: Path,
    *,
    strategy: str | None,
    sampler: str | None,
    pruner: str | None,
    seeds: int,
    trainings: int | None,
    concurrent: int,
    fmt: str,
) -> None:
    """Replay a strategy from seeds 0, 1, ... and print its figures; progress goes to standard error."""
    if fmt not in FORMATS:
        raise UserError(unknown("format", fmt, FORMATS), key="--format")
    with keys_as_options("strategy", "sampler", "pruner"):
        chosen = Strategy(sampler or None, pruner or None, strategy or None)
        table = read_table(folder)
        print_notes(table.notes)
        replays = _replays(table, chosen, seeds, trainings, concurrent)
    summary = summarize(chosen, replays, trainings=trainings)
    if fmt == "json":
        print_line(json.dumps(summary.to_dict(), indent=2))
    else:
        _print(summary, folder, table, trainings)


def _replays(table: Table, strategy: Strategy, seeds: int, trainings: int | None, concurrent: int) -> list[Replay]:
    console = make_console(stderr=True, soft_wrap=True)
    shown = track(range(seeds), "replaying", console=console, transient=True, disable=not console.is_terminal)
    return [replay_once(table, strategy, seed, trainings=trainings, concurrent=concurrent) for seed in shown]


def _print(summary: Summary, folder: Path, table: Table, trainings: int | None) -> None:
    console = make_console(soft_wrap=True)
    until = f", each stopped after {trainings} trainings" if trainings else ""
    replays = "1 replay" if summary.seeds == 1 else f"{summary.seeds} replays"
    console.print(Text(f"{summary.strategy} on the {len(table.models)} models of {folder}: {replays}{until}\n"))
    interval = "95 % interval" if summary.seeds >= 6 else "range"
    console.print(
        FittedTable(
            [
                FittedColumn("", [_name(figure) for figure in summary.figures], text=True),
                FittedColumn("median", [_value(figure, figure.median) for figure in summary.figures]),
                FittedColumn(interval, [_interval(figure) for figure in summary.figures]),
            ]
        )
    )


def _name(figure: Figure) -> str:
    match figure.group:
        case "trainings_to":
            return f"trainings to {float(figure.name):.0%} of the hypervolume".replace("%", " %")
        case "hypervolume_at":
            return f"hypervolume after {figure.name} trainings"
        case "pruned":
            return "models stopped early"
    return "of these, on the true front"


def _value(figure: Figure, value: float | None) -> str:
    if value is None:
        return ""
    if figure.group == "hypervolume_at":
        return f"{100 * value:.1f} %"
    if math.isinf(value):
        return "never"
    return f"{value:.1f}" if figure.group == "trainings_to" else f"{value:g}"


def _interval(figure: Figure) -> str:
    low, high = _value(figure, figure.low), _value(figure, figure.high)
    return low if low == high else f"{low} to {high}"
