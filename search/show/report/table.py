"""The report's table of all trials: what each cell reads, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msarch.units import format_seconds
from search.ledger.metrics import latest_quality, metric
from search.ledger.records import TrialRecord
from search.results.columns import COLUMNS, OPTIONS
from search.results.tables import trial_row, varying_options
from search.show.terminal.front_table import format_figure, format_option
from search.space.objectives import OBJECTIVES

_OPTIONS = {"variant": "variant", "layers": "layers", "d_model": "d_model", "n_heads": "heads", "learning_rate": "lr"}
_FIGURES = {
    "perplexity": "perplexity",
    "bits_per_byte": "bits/byte",
    "memory_bytes": "memory",
    "memory_unfused_bytes": "unfused",
    "memory_checkpointed_bytes": "checkpointed",
    "memory_measured_bytes": "measured",
    "cache_bytes": "cache",
    "parameters": "params",
    "flops_per_token": "FLOPs/token",
    "step_seconds": "step",
    "seconds": "time",
    "error": "note",
}

Key = str | float | None
"""What a cell is sorted by, and what is exported; None where a figure is absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableColumn:
    """One column, a cell for each trial.

    Attributes:
        name: of the figure or option, as in trials.csv.
        heading: what stands above it.
        meaning: one line for who points at the heading.
        text: whether it holds words.
        kind: "trial", "option" or "figure".
        cells: what is read.
        keys: what cells are sorted by and exported as.
    """

    name: str
    heading: str
    meaning: str
    text: bool
    kind: str
    cells: list[str]
    keys: list[Key]


def trials_table(records: Sequence[TrialRecord]) -> list[TableColumn]:
    """Every option in which trials differ has a column; one that is empty for every trial is left out."""
    varying = {name: name for name in varying_options(records) if name not in _OPTIONS}
    named = {"trial": "trial", "state": "state"} | _OPTIONS | varying | _FIGURES
    rows = [trial_row(record) for record in records]
    columns = [_column(name, heading, records, rows) for name, heading in named.items()]
    return [column for column in columns if column.name == "trial" or any(column.cells)]


def figures_of(records: Sequence[TrialRecord]) -> dict[str, list[float | None]]:
    """What figures stand for beyond the table: costs that have no column, and qualities at the last validation."""
    costs = {objective.key for objective in OBJECTIVES.values() if not objective.quality} - set(_FIGURES)
    found = {key: [metric(record, key) for record in records] for key in sorted(costs)}
    for quality in ("perplexity", "bits_per_byte"):
        found[f"latest_{quality}"] = [latest_quality(record, quality) for record in records]
    return found


def _column(name: str, heading: str, records: Sequence[TrialRecord], rows: Sequence[Mapping[str, Any]]) -> TableColumn:
    pairs = [_cell(record, row, name) for record, row in zip(records, rows, strict=True)]
    return TableColumn(
        name=name,
        heading=heading,
        meaning=_meaning(name),
        text=COLUMNS[name].dtype == "string",
        kind="option" if name in OPTIONS else "trial" if name in ("trial", "state", "error") else "figure",
        cells=[cell for cell, _ in pairs],
        keys=[key for _, key in pairs],
    )


def _meaning(column: str) -> str:
    if column == "error":
        return "the limit exceeded, the twin, or what went wrong"
    unit = "; it differs from run to run and is not reproducible" if column == "step_seconds" else ""
    return COLUMNS[column].meaning + unit


def _cell(record: TrialRecord, row: Mapping[str, Any], column: str) -> tuple[str, Key]:
    value = row[column]
    if column == "state":
        return record.shown_state, record.shown_state
    if column == "error":
        twin = "" if record.twin is None else f"same as trial {record.twin}"
        note = record.violation or record.error or twin
        return note, note or None
    if value is None or (column == "seconds" and not value):
        return "", None
    if COLUMNS[column].dtype == "string":
        return value, value
    return _figure(record, column, value), value


def _figure(record: TrialRecord, column: str, value: float) -> str:
    match column:
        case "trial":
            return str(value)
        case "learning_rate":
            return f"{value:.2e}"
        case "seconds":
            return format_seconds(value)
    return format_option(value) if column in OPTIONS else format_figure(record, column)
