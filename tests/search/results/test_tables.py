"""The tables keep every figure and its type, through a file and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from rich.text import Text

from msarch.errors import UserError
from search.ledger.records import TrialRecord
from search.results.columns import COLUMNS
from search.results.front import pareto_front
from search.results.table_files import write_tables
from search.results.tables import (
    curves_frame,
    pareto_frame,
    read_curves,
    read_trials,
    trials_frame,
)
from search.show.terminal.front_table import format_front

Maker = Callable[..., list[TrialRecord]]
OBJECTIVES = ("perplexity", "memory")


def test_tables_come_back_from_disk_as_they_were(make_records: Maker, tmp_path: Path) -> None:
    records = make_records(50)
    write_tables(tmp_path, records, OBJECTIVES)
    assert_frame_equal(read_trials(tmp_path / "trials.csv"), trials_frame(records), check_exact=True)
    assert_frame_equal(read_trials(tmp_path / "pareto.csv"), pareto_frame(records, OBJECTIVES), check_exact=True)
    assert_frame_equal(read_curves(tmp_path / "curves.csv"), curves_frame(records), check_exact=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.csv", "pareto.csv", "trials.csv"]


def test_an_absent_figure_is_missing_and_never_zero(make_records: Maker) -> None:
    row = trials_frame(make_records(1, state="infeasible")).iloc[0]
    absent = ["perplexity", "loss", "bits_per_byte", "memory_measured_bytes", "step_seconds", "twin", "error"]
    assert all(row[name] is pd.NA for name in absent)
    assert row["memory_bytes"] > 0
    assert row["violation"].startswith("memory: ")


def test_every_column_has_its_stated_dtype_even_without_rows() -> None:
    frame = trials_frame([])
    assert list(frame.columns) == list(COLUMNS)
    assert {name: str(frame[name].dtype) for name in COLUMNS} == {name: c.dtype for name, c in COLUMNS.items()}


def test_text_that_looks_like_missing_or_like_csv_survives(
    make_record: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    records = [make_record(0, 50, 9, state="failed", error='None, "nan"\nNA'), make_record(1, 50, 9, error="NA")]
    write_tables(tmp_path, records, OBJECTIVES)
    assert list(read_trials(tmp_path / "trials.csv")["error"]) == ['None, "nan"\nNA', "NA"]


def test_rows_stand_in_the_order_of_their_numbers(make_records: Maker) -> None:
    frame = trials_frame(list(reversed(make_records(12))))
    assert list(frame["trial"]) == list(range(12))
    curves = curves_frame(list(reversed(make_records(12))))
    assert list(curves["trial"]) == sorted(curves["trial"])


def test_a_write_that_fails_leaves_the_old_table(
    make_records: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path, make_records(3), OBJECTIVES)
    before = (tmp_path / "trials.csv").read_bytes()

    def full(self: Path, content: bytes) -> int:
        self.write_text("trial,sta")
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_tables(tmp_path, make_records(9), OBJECTIVES)
    assert (tmp_path / "trials.csv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_front_as_csv_is_pareto_csv(make_records: Maker, tmp_path: Path) -> None:
    records = make_records(40)
    write_tables(tmp_path, records, OBJECTIVES)
    assert format_front(records, OBJECTIVES, "csv") == (tmp_path / "pareto.csv").read_text()
    assert len(list(csv.reader(io.StringIO(format_front(records, OBJECTIVES, "csv"))))) > 2


def test_front_as_json_has_null_for_absent(make_records: Maker) -> None:
    records = make_records(40)
    rows = json.loads(format_front(records, OBJECTIVES, "json"))
    assert [row["trial"] for row in rows] == [record.number for record in pareto_front(records, OBJECTIVES)]
    assert rows[0]["memory_measured_bytes"] is None


def test_front_as_table_fits_80_columns_and_marks_best_and_knee(make_records: Maker) -> None:
    records = make_records(40)
    text = format_front(records, OBJECTIVES, "table", colour=False, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("best") == 1 and text.count("knee") == 1
    assert len(text.splitlines()) == 2 + len(pareto_front(records, OBJECTIVES))  # the last names what has no room
    assert "\x1b" not in text
    rich = format_front(records, OBJECTIVES, "table", colour=True, width=80)
    assert "\x1b" in rich
    plain = [Text.from_ansi(line).plain for line in rich.splitlines()]
    assert max(map(len, plain)) <= 80
    assert len(plain) == 3 + len(pareto_front(records, OBJECTIVES))  # no allocation is folded


def test_front_without_complete_trials_and_with_an_unknown_format(make_records: Maker) -> None:
    records = make_records(2, state="pruned")
    assert "no front yet" in format_front(records, OBJECTIVES, "table")
    assert json.loads(format_front(records, OBJECTIVES, "json")) == []
    with pytest.raises(UserError, match="unknown format 'yaml'"):
        format_front(records, OBJECTIVES, "yaml")
