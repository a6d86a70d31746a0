"""The front as `msarch pareto` prints it: a table for people, csv and json for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msarch.errors import UserError, unknown
from msarch.units import format_bytes, format_count
from search.ledger.records import TrialRecord
from search.results.front import best, knee, pareto_front, split
from search.results.measures import measure
from search.results.tables import COLUMNS, trial_row
from search.space.objectives import DEFAULT_OBJECTIVES, OBJECTIVES

if TYPE_CHECKING:
    from rich.table import Table

FORMATS = ("table", "csv", "json")
MISSING = "-"


def format_front(
    records: Sequence[TrialRecord],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    fmt: str = "table",
    *,
    colour: bool | None = None,
) -> str:
    """The front as text, the cheapest trial first; `fmt` is table, csv or json.

    csv holds what pareto.csv holds, json a list of the same rows with null where a figure is absent. `colour`
    None: a table with rules and colours on a terminal that wants them, else plain aligned text. Raises
    UserError on another format.
    """
    match fmt:
        case "table":
            return _as_table(records, objectives, wants_colour() if colour is None else colour)
        case "csv":
            return _as_csv(pareto_front(records, objectives))
        case "json":
            return json.dumps([trial_row(record) for record in pareto_front(records, objectives)], indent=2) + "\n"
    raise UserError(unknown("format", fmt, FORMATS), key="--format")


def wants_colour() -> bool:
    """Whether standard output is a terminal whose owner has not set NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def front_table(records: Sequence[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> Table:
    """The front as a rich table that fits 80 columns, best and knee marked."""
    from rich import box
    from rich.table import Table

    rows = front_rows(records, objectives)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0]:
        text = name in ("variant", "layers", "")
        table.add_column(name, justify="left" if text else "right", no_wrap=name != "layers", overflow="fold")
    for row in rows[1:]:
        table.add_row(*row, style="bold" if row[-1] else None)
    return table


def front_rows(records: Sequence[TrialRecord], objectives: Sequence[str]) -> list[list[str]]:
    """Header and rows of the front as people read it; the last column marks best and knee."""
    marks = trial_marks(records, objectives)
    costs = [name for name in objectives if not OBJECTIVES[name].quality]
    extra = [name for name in costs if name not in ("memory", "parameters")]
    header = ["trial", "variant", "layers", "d", "perplexity", "bits/B", "memory", "params"]
    lines = [[*header, *(OBJECTIVES[name].label for name in extra), ""]]
    for record in pareto_front(records, objectives):
        columns = ["perplexity", "bits_per_byte", "memory_bytes", "parameters"]
        figures = [format_figure(record, column) for column in columns + [OBJECTIVES[name].key for name in extra]]
        model = record.candidate.model
        start = [str(record.number), model.variant, model.layers, str(model.d_model)]
        lines.append([*start, *figures, marks.get(record.number, "")])
    return lines


def trial_marks(records: Sequence[TrialRecord], objectives: Sequence[str]) -> dict[int, str]:
    """What stands beside a trial's number: best, knee or both."""
    quality = split(objectives)[0]
    marks: dict[int, str] = {}
    for mark, record in (("best", best(records, quality=quality)), ("knee", knee(records, objectives))):
        if record is not None:
            marks[record.number] = f"{marks[record.number]}, {mark}" if record.number in marks else mark
    return marks


def format_figure(record: TrialRecord, column: str) -> str:
    """One figure of a trial as people read it, `-` where it has none."""
    value = measure(record, column)
    if value is None:
        return MISSING
    match column:
        case "perplexity":
            return f"{value:.1f}" if value < 1000 else f"{value:.0f}"
        case "bits_per_byte" | "loss":
            return f"{value:.3f}"
        case "step_seconds":
            return f"{value * 1000:.3g} ms"
    return format_bytes(value) if column.endswith("_bytes") else format_count(value)


def _as_table(records: Sequence[TrialRecord], objectives: Sequence[str], colour: bool) -> str:
    if not pareto_front(records, objectives):
        return "no trial is complete: there is no front yet\n"
    if not colour:
        return _aligned(front_rows(records, objectives))
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=min(Console().width, 100))
    with console.capture() as captured:
        console.print(front_table(records, objectives))
    return captured.get()


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = (1, 2, len(widths) - 1)
    return "".join(
        "  ".join(
            cell.ljust(width) if index in text else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )


def _as_csv(front: Sequence[TrialRecord]) -> str:
    lines = io.StringIO()
    writer = csv.DictWriter(lines, fieldnames=list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(trial_row(record) for record in front)
    return lines.getvalue()
