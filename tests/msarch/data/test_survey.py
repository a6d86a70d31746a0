"""Documents that stand in two splits are noticed, whatever their files are called."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from msarch.config.corpus import CorpusConfig
from msarch.data.corpus import Corpus, read_corpus
from msarch.errors import TextWarning


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))


def texts(first: int, last: int) -> list[str]:
    return [f"text number {number} of its kind" for number in range(first, last)]


def write(path: Path, documents: list[str]) -> None:
    path.write_text("\n".join(json.dumps({"text": text}) for text in documents))


def told(base: Path, **patterns: str) -> list[str]:
    """What is said of a corpus of files."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names: dict[str, Any] = {split: (pattern,) for split, pattern in patterns.items()}
        read_corpus(CorpusConfig(source="files", **names), base=base)
    assert all(warning.category is TextWarning for warning in caught)
    return [str(warning.message) for warning in caught]


def test_a_copy_of_the_training_text_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("the one and only text\n" * 50)
    shutil.copy(tmp_path / "train.txt", tmp_path / "validation.txt")
    assert told(tmp_path, train="train.txt", validation="validation.txt") == [
        "corpus.validation: 1 of 1 validation documents (100% of the text) are also in the train text: a model may "
        "know them by heart. Remove them from one of the two"
    ]


def test_shared_documents_are_counted_between_every_two_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", texts(0, 40))
    write(tmp_path / "validation.jsonl", [text + "\n" for text in texts(37, 47)])  # three, each with a line end more
    write(tmp_path / "test.jsonl", texts(45, 55))
    said = told(tmp_path, train="train.jsonl", validation="validation.jsonl", test="test.jsonl")
    assert [sentence.partition(" (")[0] for sentence in said] == [
        "corpus.validation: 3 of 10 validation documents",
        "corpus.test: 2 of 10 test documents",
    ]
    assert "also in the validation text: the two splits are not independent" in said[1]


def test_repeated_documents_are_noticed_where_validation_text_is_held_out(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", texts(0, 33) * 2)
    assert any("validation documents" in sentence for sentence in told(tmp_path, train="train.jsonl"))
    write(tmp_path / "train.jsonl", texts(0, 60))
    assert told(tmp_path, train="train.jsonl") == []


def test_parts_of_one_repetitive_text_are_not_copies(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("all the same " * 20 * 20)
    assert told(tmp_path, train="train.txt") == []


def test_a_few_short_lines_in_both_are_not_worth_a_word(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [*texts(0, 40), "= See also ="])
    write(tmp_path / "validation.jsonl", [*texts(100, 200), "= See also ="])
    assert told(tmp_path, train="train.jsonl", validation="validation.jsonl") == []


def test_empty_files_are_named(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text("some text " * 20 if number > 3 else "")
    said = told(tmp_path, train="*.txt")
    assert len(said) == 1 and said[0].startswith("corpus.train: 4 of 6 files are empty: ")
    assert said[0].endswith("2.txt and 1 more")


def corpus_of(base: Path) -> Corpus:
    return read_corpus(CorpusConfig(source="files", train=("train.jsonl",)), base=base)


def test_the_survey_counts_documents_and_bytes(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [*texts(0, 40), "", "café"])
    sizes = corpus_of(tmp_path).sizes
    assert {name: size.documents for name, size in sizes.items()} == {"train": 37, "validation": 2, "test": 2}
    assert sum(size.text_bytes for size in sizes.values()) == sum(map(len, texts(0, 40))) + 5
