"""`--max-memory` of `pareto`: pictures and page show the trials that the table does, and say so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.commands import run_command

from search.results.results import Results, load_results

SHAKESPEARE = Path(__file__).parents[3] / "results" / "reference-shakespeare"
LIMIT = 10 * 2**20


@pytest.fixture(scope="module")
def results() -> Results:
    return load_results(SHAKESPEARE)


def test_results_within_a_limit_hold_what_fits(results: Results) -> None:
    kept = results.within(LIMIT)
    assert 0 < len(kept.records) < len(results.records)
    assert all(record.profile["memory_bytes"] <= LIMIT for record in kept.records)
    assert (results.title, kept.title) == ("reference-shakespeare", "reference-shakespeare, at most 10 MiB")
    assert results.within(None).title == results.title


def test_pictures_and_page_show_what_the_table_shows(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    page, picture, own = (tmp_path / name for name in ("page.html", "front.svg", "own.svg"))
    files = ["--html", str(page), "--svg", str(picture), "--format", "json"]
    status, rows, _ = run_command(["pareto", str(SHAKESPEARE), "--max-memory", "10MiB", *files], monkeypatch, capfd)
    assert status == 0
    text = page.read_text(encoding="utf-8")
    [packed] = re.findall(r'<script type="application/json" id="trials-data">(.*?)</script>', text, re.DOTALL)
    found = json.loads(packed)
    assert found["front"] == sorted(row["trial"] for row in json.loads(rows))
    sizes = next(column for column in found["columns"] if column["name"] == "memory_bytes")
    assert max(sizes["keys"]) <= LIMIT
    assert "Best: trial 63" in text and "<h1>reference-shakespeare, at most 10 MiB</h1>" in text
    results.within(LIMIT).write_plot(own)
    assert picture.read_bytes() == own.read_bytes()
