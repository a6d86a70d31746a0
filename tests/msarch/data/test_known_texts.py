"""Files that have not changed are not read twice, and no change goes unnoticed."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from msarch.config.corpus import CorpusConfig
from msarch.data import corpus
from msarch.data.corpus import read_corpus
from msarch.data.survey import survey
from msarch.errors import TextWarning

CONFIG = CorpusConfig(source="files", train=("a.txt",), validation=("b.txt",))


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two files that were written long ago, and a list that grows with each pass over them."""
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    passes: list[int] = []

    def counted(*arguments: Any) -> object:
        passes.append(1)
        return survey(*arguments)

    monkeypatch.setattr(corpus, "survey", counted)
    write(tmp_path / "a.txt", "a training text")
    write(tmp_path / "b.txt", "a judging text")
    return passes


def write(path: Path, text: str, *, age: float = 60) -> None:
    path.write_text(text)
    then = time.time() - age
    os.utime(path, (then, then))


def test_unchanged_files_are_read_once(tmp_path: Path, reads: list[int]) -> None:
    first = read_corpus(CONFIG, base=tmp_path)
    again = read_corpus(CONFIG, base=tmp_path)
    assert (again.content, again.sizes) == (first.content, first.sizes) and len(reads) == 1
    assert list(again.splits["train"]()) == ["a training text"]


def test_a_changed_file_is_read_again(tmp_path: Path, reads: list[int]) -> None:
    first = read_corpus(CONFIG, base=tmp_path)
    write(tmp_path / "a.txt", "a training tent", age=30)  # as long as before
    assert read_corpus(CONFIG, base=tmp_path).content != first.content and len(reads) == 2
    write(tmp_path / "a.txt", "a training text")
    assert read_corpus(CONFIG, base=tmp_path).content == first.content


def test_a_file_that_was_just_written_is_not_trusted(tmp_path: Path, reads: list[int]) -> None:
    for text in ("one", "two", "six"):
        write(tmp_path / "a.txt", text, age=0)
        assert list(read_corpus(CONFIG, base=tmp_path).splits["train"]()) == [text]
    assert len(reads) == 3


def test_warnings_are_remembered_with_the_text(tmp_path: Path, reads: list[int]) -> None:
    write(tmp_path / "b.txt", "a training text")
    for _ in range(2):
        with pytest.warns(TextWarning, match="1 of 1 validation documents"):
            read_corpus(CONFIG, base=tmp_path)
    assert len(reads) == 1


@pytest.mark.parametrize("damage", ["", "[]", '{"content": 1}', '{"content": "x", "sizes": [], "shared": []}'])
def test_a_damaged_memory_is_ignored(tmp_path: Path, reads: list[int], damage: str) -> None:
    first = read_corpus(CONFIG, base=tmp_path)
    (kept,) = (tmp_path / "cache").glob("text-*.json")
    kept.write_text(damage)
    assert read_corpus(CONFIG, base=tmp_path).content == first.content and len(reads) == 2


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "file"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_corpus(CONFIG, base=tmp_path).content == read_corpus(CONFIG, base=tmp_path).content
    assert len(reads) == 2
