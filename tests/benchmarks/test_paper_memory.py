"""The published table is what the code says today: rows, tables and document hang together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.paper_memory.profiles import (
    BASELINE,
    TODAY,
    Condition,
    Profiles,
    append,
    conditions,
    configs,
    profile,
    read,
)
from benchmarks.paper_memory.tables import is_deep, sheets

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def rows() -> Profiles:
    return Profiles(read(DOCS / "paper-memory.csv"))


def test_every_allocation_of_the_space_is_in_the_table_under_every_condition(rows: Profiles) -> None:
    models = configs()
    assert rows.models == [(model.variant, model.layers) for model in models] and len(conditions()) == 16
    for model in rows.models:
        for condition in conditions():
            assert rows.row(model, condition).memory_bytes > 0


@pytest.mark.parametrize(
    ("layers", "condition"),
    [("6@1", TODAY), ("12@16 12@4 6@1", TODAY), ("10@1", replace(TODAY, attention="unfused", checkpointing="block"))],
)
def test_its_rows_are_those_of_the_code_as_it_is(rows: Profiles, layers: str, condition: Condition) -> None:
    """Where this fails the models have changed: delete docs/paper-memory.csv and run the benchmark again."""
    model = next(model for model in configs() if model.layers == layers)
    assert profile(model, condition) == rows.row((model.variant, layers), condition)


def test_the_document_has_the_tables_as_the_command_prints_them(rows: Profiles) -> None:
    text = (DOCS / "memory-tables.md").read_text(encoding="utf-8")
    for sheet in sheets(rows):
        assert sheet.markdown() in text


def test_rows_survive_the_file(rows: Profiles, tmp_path: Path) -> None:
    some = [rows.row(BASELINE, condition) for condition in conditions()]
    for row in some:
        append(tmp_path / "new" / "rows.csv", row)
    assert read(tmp_path / "new" / "rows.csv") == some and read(tmp_path / "absent.csv") == []


def test_thirty_layers_at_several_scales_are_told_from_vanilla_ones() -> None:
    assert is_deep(("top_down", "12@16 9@4 9@1")) and is_deep(("bottom_up", "5@1 20@16 5@1"))
    assert not is_deep(("vanilla", "30@1")) and not is_deep(("top_down", "2@4 2@1"))
