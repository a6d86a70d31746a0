"""A search whose text has moved continues as if it had not; one whose text has changed does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import drive, open_in, prepare, profile
from support.paused_search import LowestLoss, Workers, front_space

from msarch.config.corpus import CorpusConfig
from msarch.errors import UserError
from search.ledger.reading import read_records
from search.run.open_search import open_recorded, open_search
from search.run.watcher import Silent
from search.space.load import load_space
from search.space.space import Space
from search.space.writer import space_yaml

HERE, THERE = "corpus.train=texts/mine.txt", "corpus.train=/data/elsewhere/mine.txt"


def space_with(folder: Path, *overrides: str, content: str = "0123abcd") -> Space:
    return front_space(folder, "corpus.source=", "search.tokens=70k", *overrides).with_content(content)


def test_a_search_whose_text_has_moved_makes_the_choices_of_one_whose_text_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.propose.front.strategy.FrontStrategy", LowestLoss)
    for folder, then in (("same", HERE), ("moved", THERE)):
        workers = Workers()
        workers.run(open_in(space_with(tmp_path, HERE), tmp_path / folder, tokens=30_000))
        workers.run(open_in(space_with(tmp_path, then), tmp_path / folder, tokens=60_000))
    same, moved = (read_records(tmp_path / folder) for folder in ("same", "moved"))
    assert len(moved) > 3 and moved == same


def test_trials_keep_the_names_that_the_text_had_and_are_trained_on_the_files_of_today(tmp_path: Path) -> None:
    begun = open_in(space_with(tmp_path, HERE), tmp_path / "out")
    begun_job = begun.next_job()
    coordinator = open_in(space_with(tmp_path, THERE), tmp_path / "out")
    jobs = [coordinator.next_job(), coordinator.next_job()]
    assert begun_job is not None and begun_job.corpus.train == ("texts/mine.txt",)
    for job in jobs:
        assert job is not None
        assert job.candidate.corpus.train == ("texts/mine.txt",)
        assert job.corpus.train == ("/data/elsewhere/mine.txt",)
    assert jobs[0] is not None and jobs[0].candidate == begun_job.candidate, "it is resumed"
    recorded, _ = open_recorded(space_with(tmp_path, THERE), tmp_path / "out", Silent())
    (tmp_path / "space.yaml").write_text(space_yaml(recorded))
    assert load_space(tmp_path / "space.yaml").corpus.train == ("texts/mine.txt",)


def test_another_vocabulary_is_learnt_from_the_files_of_today(tmp_path: Path) -> None:
    read: list[CorpusConfig] = []

    def note(corpus: CorpusConfig) -> Any:
        read.append(corpus)
        return prepare(corpus)

    several = ("corpus.tokenizer={bpe: {values: [300, 400, 500]}}", "objectives=[bits_per_byte, memory]")
    open_in(space_with(tmp_path, HERE, *several), tmp_path / "out")
    space, ledger = open_recorded(space_with(tmp_path, THERE, *several), tmp_path / "out", Silent())
    drive(open_search(space, ledger, tmp_path / "out", prepare=note, profile=profile, watcher=Silent()))
    assert {corpus.train for corpus in read} == {("/data/elsewhere/mine.txt",)}
    assert len({corpus.tokenizer.vocab_size for corpus in read}) == 3


@pytest.mark.parametrize(
    ("overrides", "content", "told"),
    [
        ((HERE,), "other", "the search of another text: its content was 0123abcd, and is other now; search into"),
        ((THERE,), "other", "or name the text that was searched with --set corpus.train=... (and corpus.validation"),
        ((THERE, "corpus.column=body"), "0123abcd", 'put back corpus.column: absent, now "body"'),
        ((THERE, "model.context=64"), "0123abcd", "put back model.context: 32, now 64"),
        ((THERE, "model.context=64"), "other", "model.context: 32, now 64"),
        (("corpus.source=python-docs",), "other", "put back the text that was searched"),
    ],
)
def test_another_text_or_space_is_refused(overrides: tuple[str, ...], content: str, told: str, tmp_path: Path) -> None:
    begun = ("corpus.source=python-docs",) if "corpus.source=python-docs" in overrides else (HERE,)
    open_in(space_with(tmp_path, *begun), tmp_path / "out")
    with pytest.raises(UserError) as refused:
        open_in(space_with(tmp_path, *overrides, content=content), tmp_path / "out")
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_a_text_without_a_recorded_content_is_known_by_its_names(tmp_path: Path) -> None:
    open_in(space_with(tmp_path, HERE, content=""), tmp_path / "out")
    with pytest.raises(UserError, match=r"corpus.train\[0\]"):
        open_in(space_with(tmp_path, THERE, content=""), tmp_path / "out")
