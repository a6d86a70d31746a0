"""The front as `msarch pareto` prints it: a table for people, csv and json for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from msarch.errors import UserError, unknown
from msarch.perplexity import format_perplexity
from msarch.units import format_bytes, format_count, format_step_seconds
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.columns import COLUMNS
from search.results.front import best, knee, pareto_front, split
from search.results.tables import independent_options, trial_row
from search.show.terminal.console import make_console, print_with_colours, printable
from search.show.terminal.fitted_table import ESSENTIAL, IF_UNWRAPPED, FittedColumn, FittedTable, output_width
from search.space.objectives import DEFAULT_OBJECTIVES, OBJECTIVES

FORMATS = ("table", "csv", "json")
MISSING = "-"
_HEADINGS = {"perplexity": "perplexity", "bits_per_byte": "bits/B", "memory_bytes": "memory", "parameters": "params"}
_SHORT = {"learning_rate": "lr", "n_heads": "heads"}
_IMPORTANCE = {"perplexity": 20, "bits_per_byte": 10, "memory_bytes": 35, "parameters": 15}


def format_front(
    records: Sequence[TrialRecord],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    fmt: str = "table",
    *,
    colour: bool | None = None,
    width: int | None = None,
) -> str:
    """The front as text, the cheapest trial first; `fmt` is table, csv or json.

    csv holds what pareto.csv holds, json a list of the same rows with null where a figure is absent. A table has
    rules and colours, or is plain aligned text; it is at most `width` characters wide. Where these are None, standard
    output decides. Raises UserError on another format.
    """
    match fmt:
        case "table":
            return _as_table(records, objectives, wants_colour() if colour is None else colour, width or output_width())
        case "csv":
            return _as_csv(pareto_front(records, objectives))
        case "json":
            return json.dumps([trial_row(record) for record in pareto_front(records, objectives)], indent=2) + "\n"
    raise UserError(unknown("format", fmt, FORMATS), key="--format")


def print_front(records: Sequence[TrialRecord], objectives: Sequence[str], fmt: str = "table") -> None:
    """Print the front as `format_front` gives it."""
    print_with_colours(format_front(records, objectives, fmt).rstrip("\n"))


def wants_colour() -> bool:
    """Whether standard output is a terminal whose owner has not set NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def front_table(records: Sequence[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> FittedTable:
    """The front as people read it, best and knee marked; printed by rich it is as wide as there is room.

    The options in which trials differ have columns where there is room for them.
    """
    marks = trial_marks(records, objectives)
    front = pareto_front(records, objectives)
    rows = [trial_row(record) for record in front]
    return FittedTable(
        [
            FittedColumn("trial", [str(record.number) for record in front]),
            FittedColumn("variant", [row["variant"] for row in rows], 40, text=True),
            FittedColumn("layers", [row["layers"] for row in rows], text=True),
            FittedColumn("d", [str(row["d_model"]) for row in rows], 30),
            *(_option_column(name, rows) for name in _searched(records)),
            *_figure_columns(front, objectives),
            FittedColumn("mark", [marks.get(record.number, "") for record in front], 50, text=True),
        ],
        bold=[index for index, record in enumerate(front) if record.number in marks],
    )


def _option_column(name: str, rows: Sequence[dict[str, Any]]) -> FittedColumn:
    cells = [format_option(row[name]) for row in rows]
    return FittedColumn(_SHORT.get(name, name), cells, IF_UNWRAPPED, text=COLUMNS[name].dtype == "string")


def _figure_columns(front: Sequence[TrialRecord], objectives: Sequence[str]) -> list[FittedColumn]:
    """The usual figures and those of other objectives; an objective is never left out."""
    sought = {OBJECTIVES[name].key: name.replace("_", " ") for name in objectives}
    return [
        FittedColumn(
            _HEADINGS.get(key, sought.get(key, key)),
            [format_figure(record, key) for record in front],
            ESSENTIAL if key in sought else _IMPORTANCE[key],
        )
        for key in dict.fromkeys((*_HEADINGS, *sought))
    ]


def _searched(records: Sequence[TrialRecord]) -> list[str]:
    """The options that vary by themselves and have no column yet."""
    return [name for name in independent_options(records) if name not in ("variant", "layers", "d_model")]


def format_option(value: Any) -> str:
    """An option's value as people read it, `-` where the variant does not read it."""
    if value is None:
        return MISSING
    return f"{value:.3g}" if isinstance(value, float) else str(value)


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
    value = metric(record, column)
    if value is None:
        return MISSING
    match column:
        case "perplexity":
            return format_perplexity(value)
        case "bits_per_byte" | "loss":
            return f"{value:.3f}"
        case "step_seconds":
            return format_step_seconds(value)
    return format_bytes(value) if column.endswith("_bytes") else format_count(value)


def _as_table(records: Sequence[TrialRecord], objectives: Sequence[str], colour: bool, width: int) -> str:
    if not pareto_front(records, objectives):
        return "no trial is complete: there is no front yet\n"
    table = front_table(records, objectives)
    if not colour:
        return table.plain(width)
    console = make_console(file=io.StringIO(), force_terminal=True, width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _as_csv(front: Sequence[TrialRecord]) -> str:
    lines = io.StringIO()
    writer = csv.DictWriter(lines, fieldnames=list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_printable_row, front))
    return lines.getvalue()


def _printable_row(record: TrialRecord) -> dict[str, Any]:
    row = trial_row(record)
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
