"""Tables that are written again and again are, byte for byte, those that are written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from search.ledger.records import TrialRecord
from search.results import table_files
from search.results.table_files import TableFiles, write_tables
from search.results.tables import curves_frame, pareto_frame, trials_frame

Maker = Callable[..., list[TrialRecord]]
OBJECTIVES = ("perplexity", "memory")


def _as_pandas_writes_them(folder: Path, records: Sequence[TrialRecord]) -> dict[str, bytes]:
    frames = {
        "trials.csv": trials_frame(records),
        "curves.csv": curves_frame(records),
        "pareto.csv": pareto_frame(records, OBJECTIVES),
    }
    folder.mkdir(exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / name, index=False, lineterminator="\n", errors="backslashreplace")
    return _bytes(folder)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_they_are_those_of_pandas_however_often_they_are_written(make_records: Maker, tmp_path: Path) -> None:
    records = make_records(40)
    files = TableFiles(tmp_path / "again", OBJECTIVES)
    for count in (0, 5, 6, 40):
        files.write(records[:count])
        assert _bytes(tmp_path / "again") == _as_pandas_writes_them(tmp_path / "once", records[:count])
    odd = 'a "quoted", text\nof two lines and é\r'
    records[3] = replace(records[3], state="failed", loss=None, error=odd)
    records[7] = replace(records[7], curve=())
    files.write(list(reversed(records)))
    assert _bytes(tmp_path / "again") == _as_pandas_writes_them(tmp_path / "once", records)
    write_tables(tmp_path / "whole", records, OBJECTIVES)
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "again")


def test_only_trials_that_changed_are_made_anew(
    make_records: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def watched(records: Sequence[TrialRecord]) -> object:
        made.extend(record.number for record in records)
        return trials_frame(records)

    monkeypatch.setattr(table_files, "trials_frame", watched)
    records, files = make_records(10), TableFiles(tmp_path, OBJECTIVES)
    files.write(records[:9])
    files.write([*records[:4], replace(records[4], seconds=1.0), *records[5:]])
    assert made == [*range(9), 4, 9]
