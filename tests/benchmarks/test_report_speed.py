"""Pages of more trials than were trained, and what is measured of them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report_speed import beside_bundle, repeated, write_page
from search.results.results import load_results

ROOT = Path(__file__).parents[2]


def test_trials_are_repeated_with_small_differences(tmp_path: Path) -> None:
    results = load_results(ROOT / "results/reference-shakespeare")
    found = repeated(results.records, 200)
    assert [record.number for record in found] == list(range(200))
    assert len({record.loss for record in found}) == 200
    assert found[150].candidate == results.records[150 - 96].candidate
    assert 10_000 < beside_bundle(write_page(tmp_path, results, 5)) < 200_000
