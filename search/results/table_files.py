"""trials.csv, curves.csv and pareto.csv of a search that runs: only the lines of trials that changed are made anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msarch.atomic_files import atomic_write
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.results.tables import curves_frame, trials_frame
from search.space.objectives import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    import pandas as pd


class TableFiles:
    """Writes the tables of one search, again and again.

    Args:
        folder: in which they lie.
    """

    def __init__(self, folder: Path, objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> None:
        self._folder, self._objectives = Path(folder), tuple(objectives)
        self._made: dict[int, tuple[TrialRecord, str, str]] = {}  # by number: record, its line, the lines of its curve

    def write(self, records: Sequence[TrialRecord]) -> None:
        """All three, each whole or not at all."""
        ordered = sorted(records, key=lambda record: record.number)
        self._make([record for record in ordered if self._is_new(record)])
        front = pareto_front(ordered, self._objectives)
        head, head_of_curves = _head(trials_frame([])), _head(curves_frame([]))
        self._write("trials.csv", head, (self._made[record.number][1] for record in ordered))
        self._write("curves.csv", head_of_curves, (self._made[record.number][2] for record in ordered))
        self._write("pareto.csv", head, (self._made[record.number][1] for record in front))

    def _is_new(self, record: TrialRecord) -> bool:
        return record.number not in self._made or self._made[record.number][0] is not record

    def _make(self, records: Sequence[TrialRecord]) -> None:
        lines = _lines(trials_frame(records)) if records else []
        points = iter(_lines(curves_frame(records)) if records else [])
        for record, line in zip(records, lines, strict=True):
            self._made[record.number] = record, line, "".join(next(points) for _ in record.curve)

    def _write(self, name: str, head: str, lines: Iterable[str]) -> None:
        text = head + "".join(lines)
        with atomic_write(self._folder / name) as temporary:
            temporary.write_bytes(text.encode("utf-8", errors="backslashreplace"))


def write_tables(folder: Path, records: Sequence[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> None:
    """Writes trials.csv, curves.csv and pareto.csv into `folder`, each whole or not at all."""
    TableFiles(folder, objectives).write(records)


def _head(frame: pd.DataFrame) -> str:
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _lines(frame: pd.DataFrame) -> list[str]:
    """The text of each row, its end of line included."""
    text = str(frame.to_csv(index=False, header=False, lineterminator="\n"))
    lines = text.split("\n")[:-1]
    if len(lines) == len(frame):
        return [f"{line}\n" for line in lines]
    # some text has an end of line in it
    rows = (frame.iloc[[index]] for index in range(len(frame)))
    return [str(row.to_csv(index=False, header=False, lineterminator="\n")) for row in rows]
