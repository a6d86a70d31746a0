"""The benchmark drives real searches; how long they take is not judged here."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks.driver_speed import measured
from search.ledger.reading import read_records


@pytest.mark.parametrize("strategy", ["tpe", "front"])
def test_a_search_is_driven_to_its_end_and_its_time_is_shared_out(strategy: str, tmp_path: Path) -> None:
    [mark] = measured(tmp_path, strategy, 6, nullcontext())
    assert mark.driver > 0 and mark.fit > 0 and mark.memory > 10
    assert len((tmp_path / "trials.csv").read_text().splitlines()) >= 1 + 6


def test_pieces_that_are_drawn_need_no_loss_model(tmp_path: Path) -> None:
    [mark] = measured(tmp_path, "front-drawn", 20, nullcontext())
    records = read_records(tmp_path)
    assert mark.driver > 0
    assert {record.state for record in records} == {"complete", "pruned"} and any(record.paused for record in records)
