"""The report's table of all trials: what each cell reads, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msarch.units import format_seconds
from search.ledger.records import TrialRecord
from search.results.columns import COLUMNS, OPTIONS
from search.results.tables import trial_row, varying_options
from search.show.terminal.front_table import format_figure, format_option

_OPTIONS = {"variant": "variant", "layers": "layers", "d_model": "d_model", "n_heads": "heads", "learning_rate": "lr"}
_FIGURES = {
    "perplexity": "perplexity",
    "bits_per_byte": "bits/byte",
    "memory_bytes": "memory",
    "memory_unfused_bytes": "unfused",
    "memory_measured_bytes": "measured",
    "cache_bytes": "cache",
    "parameters": "params",
    "seconds": "time",
    "error": "note",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's name, its meaning, and whether it holds text."""

    name: str
    meaning: str
    text: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """What is read, and what it is sorted by (empty where a figure is absent)."""

    text: str
    sort: str
    left: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One trial; `kind` is its state, or "front"."""

    kind: str
    front: bool
    cells: list[Cell]


def trials_table(records: Sequence[TrialRecord], front: Collection[int]) -> tuple[list[Heading], list[Row]]:
    """Headings and one row a trial; every option in which trials differ has a column.

    A column that is empty for every trial is left out.
    """
    varying = {name: name for name in varying_options(records) if name not in _OPTIONS}
    named = {"trial": "trial", "state": "state"} | _OPTIONS | varying | _FIGURES
    values = [trial_row(record) for record in records]
    cells = {name: [_cell(*pair, name) for pair in zip(records, values, strict=True)] for name in named}
    shown = [name for name in named if name == "trial" or any(cell.text for cell in cells[name])]
    headings = [Heading(named[name], _meaning(name), COLUMNS[name].dtype == "string") for name in shown]
    rows = [
        Row(
            kind="front" if record.number in front else record.state,
            front=record.number in front,
            cells=[cells[name][index] for name in shown],
        )
        for index, record in enumerate(records)
    ]
    return headings, rows


def _meaning(column: str) -> str:
    return "the limit exceeded, the twin, or what went wrong" if column == "error" else COLUMNS[column].meaning


def _cell(record: TrialRecord, row: Mapping[str, Any], column: str) -> Cell:
    value = row[column]
    if column == "error":
        twin = "" if record.twin is None else f"same as trial {record.twin}"
        note = record.violation or record.error or twin
        return Cell(note, note, left=True)
    if value is None or (column == "seconds" and not value):
        return Cell("", "")
    if COLUMNS[column].dtype == "string":
        return Cell(value, value, left=True)
    return Cell(_figure(record, column, value), repr(value))


def _figure(record: TrialRecord, column: str, value: float) -> str:
    match column:
        case "trial":
            return str(value)
        case "learning_rate":
            return f"{value:.2e}"
        case "seconds":
            return format_seconds(value)
    return format_option(value) if column in OPTIONS else format_figure(record, column)
