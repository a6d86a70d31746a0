"""Trials of chosen variants; a results folder whose text is real and whose losses are made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command_line import SPACE
from support.made_up_search import drive, profile

from msarch.data.token_set import prepare_tokens
from search.ledger.records import TrialRecord
from search.run.open_search import open_recorded, open_search
from search.run.text import token_preparer
from search.run.watcher import Silent
from search.space.load import load_space

Maker = Callable[..., TrialRecord]


@pytest.fixture
def make(make_record: Maker) -> Maker:
    """`make(number, variant, perplexity, memory_mib)`."""

    def made(number: int, variant: str, perplexity: float, memory_mib: float) -> TrialRecord:
        record = make_record(number, perplexity, memory_mib)
        layers = "2@4 1@1" if variant == "top_down" else "2@1"
        scales = ((1, 4, 16), (64, 16)) if variant == "retina" else ((), ())
        retina = {"retina_factors": scales[0], "retina_windows": scales[1]}
        options: dict[str, Any] = {"variant": variant, "layers": layers} | retina
        model = replace(record.candidate.model, **options)
        return replace(record, candidate=replace(record.candidate, model=model))

    return made


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a text and the `results` of a search of it: training was made up, the text is real."""
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("one big cat, two small dogs. " * 200)
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "results").mkdir()
    space = load_space("space.yaml")
    space = space.with_content(prepare_tokens(space.corpus).content)
    folder, prepare = tmp_path / "results", token_preparer(tmp_path, Silent())
    space, ledger = open_recorded(space, folder, Silent())
    drive(open_search(space, ledger, folder, prepare=prepare, profile=profile, watcher=Silent()))
    return tmp_path
