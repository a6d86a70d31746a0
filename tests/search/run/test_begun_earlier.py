"""A continued search keeps the defaults it began with, even where they have changed since."""

from __future__ import annotations

import json
from pathlib import Path

from support.made_up_search import drive, open_in, space_in

from search.ledger.checks import CHECK
from search.ledger.folder import JOURNAL
from search.ledger.identity import DEFAULTS
from search.ledger.line_sums import sums_path
from search.ledger.reading import read_records
from search.space.space import Space


def rotary_space(tmp_path: Path, *overrides: str) -> Space:
    return space_in(tmp_path, "model.positions=rotary", *overrides)


def test_a_search_begun_before_a_default_changed_keeps_the_earlier_one(tmp_path: Path) -> None:
    drive(open_in(rotary_space(tmp_path, "search.trials=3"), tmp_path / "out"))
    journal = tmp_path / "out" / JOURNAL
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:  # as version 0.1 wrote it: no defaults, and candidates without the fields that came later
        candidate = line.get("user_attr", {}).get("candidate", {})
        for name in ("embedding_init", "rotary_pairs"):
            candidate.get("model", {}).pop(name, None)
    kept = [line for line in lines if not {DEFAULTS, CHECK} & line.get("user_attr", {}).keys()]
    assert len(kept) < len(lines) - 1
    sums_path(journal).unlink()
    journal.write_text("".join(json.dumps(line) + "\n" for line in kept))
    drive(open_in(rotary_space(tmp_path, "search.trials=6"), tmp_path / "out"))
    models = [record.candidate.model for record in read_records(tmp_path / "out")]
    assert len(models) >= 6
    assert {(model.embedding_init, model.rotary_pairs) for model in models} == {("gpt2", "halves")}


def test_a_search_begun_today_keeps_todays(tmp_path: Path) -> None:
    drive(open_in(rotary_space(tmp_path, "search.trials=2"), tmp_path / "out"))
    assert {record.candidate.model.rotary_pairs for record in read_records(tmp_path / "out")} == {"adjacent"}
