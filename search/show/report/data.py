"""The figures and trials of a report, packed: all that its script draws, in less than half a kilobyte a trial.

Whatever is the same for many trials is written once. Figures do not repeat what the table holds: a trace that stands
for trials names their numbers and the columns that it draws.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from search.ledger.records import TrialRecord
from search.show.report.table import Key, TableColumn, figures_of, trials_table
from search.show.stopped import last_validation

_DIGITS = 7


def packed_trials(records: Sequence[TrialRecord], front: Collection[int]) -> dict[str, Any]:
    """Columns, curves, the front, and how far trials came that were stopped, for `trials.js`."""
    return {
        "columns": [packed_column(column) for column in trials_table(records)],
        "hidden": {name: [rounded(value) for value in values] for name, values in figures_of(records).items()},
        "front": sorted(front),
        "curves": packed_curves(records),
        "stopped": {record.number: text for record in records if (text := last_validation(record))},
    }


def packed_column(column: TableColumn) -> dict[str, Any]:
    """A column; its different cells once, and where each stands, if that is shorter."""
    described = {
        "name": column.name,
        "heading": column.heading,
        "meaning": column.meaning,
        "text": column.text,
        "kind": column.kind,
    }
    keys = [rounded(key) for key in column.keys]
    pairs = list(zip(column.cells, keys, strict=True))
    distinct = list(dict.fromkeys(pairs))
    if len(distinct) * 2 < len(pairs):
        places = {pair: place for place, pair in enumerate(distinct)}
        described["at"] = [places[pair] for pair in pairs]
        pairs = distinct
    described["cells"] = [cell for cell, _ in pairs]
    return described if column.text else described | {"keys": [key for _, key in pairs]}


def packed_curves(records: Sequence[TrialRecord]) -> dict[str, Any]:
    """Losses by trial, and the tokens at which they were measured, once for all trials with the same rungs."""
    grids: dict[tuple[int, ...], int] = {}
    losses: dict[int, list[Any]] = {}
    for record in records:
        if record.curve:
            grid = tuple(point.tokens for point in record.curve)
            place = grids.setdefault(grid, len(grids))
            losses[record.number] = [place, *(rounded(point.loss, 5) for point in record.curve)]
    return {"tokens": list(grids), "losses": losses}


def packed_figure(figure: go.Figure) -> dict[str, Any]:
    """A figure as Plotly reads it, without what the script puts back: `meta` of a trace says what."""
    drawn: dict[str, Any] = json.loads(figure.to_json())
    drawn["layout"].pop("template", None)
    for trace in drawn["data"]:
        meta = trace.get("meta", {})
        if "curves" in meta or "parallel" in meta:
            trace["customdata"] = list(dict.fromkeys(trace["customdata"]))
        if "parallel" in meta:
            trace.pop("x")  # the places of the axes, again and again
        if meta:
            trace.pop("hovertext", None)
        for axis in ("x", "y"):
            if axis in meta or "curves" in meta:
                trace.pop(axis)
    return drawn


def rounded(value: Key, digits: int = _DIGITS) -> Key:
    """A number with as many significant digits as a picture or a sorted table needs; whole ones as they are."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if value == value and abs(value) != float("inf") else None
    return value


def as_json(data: Mapping[str, Any]) -> str:
    """JSON that can stand inside a script element, whatever words are in it."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
