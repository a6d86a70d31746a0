"""Where the vocabulary varies, every candidate is judged on the same stretch of the validation text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.made_up_novels import write_novels
from support.made_up_search import Journalist, drive, profile, space_in

from msarch.config.candidate import Candidate
from msarch.data.token_set import prepare_tokens
from search.ledger.checks import CHECK
from search.ledger.folder import JOURNAL
from search.ledger.identity import ONE_STRETCH
from search.ledger.line_sums import sums_path
from search.ledger.reading import read_records
from search.run.open_search import open_recorded, open_search
from search.run.text import prepare_text, token_preparer
from search.run.watcher import Silent

SIZES = (320, 512, 1024)
TARGETS = 300
SEVERAL = (f"corpus.tokenizer={{bpe: {{values: {list(SIZES)}}}}}", "objectives=[bits_per_byte, memory]")


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text to learn vocabularies from, in the working directory."""
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_novels(tmp_path)


def searched(trials: int, *overrides: str, watcher: Silent | None = None) -> list[Candidate]:
    """The candidates of a search in ``out``, new or continued; its text is real and its training made up."""
    named = ("corpus.source=", "corpus.train=train/*.txt", "corpus.validation=validation/*.txt")
    settings = (f"training.validation_tokens={TARGETS}", f"search.trials={trials}", "limits=", "search.sampler=random")
    prepare, out = token_preparer(Path.cwd(), Silent()), Path("out")
    out.mkdir(exist_ok=True)
    space, _ = prepare_text(space_in(Path.cwd(), *named, *settings, *overrides), prepare, Silent())
    space, ledger = open_recorded(space, out, watcher or Silent())
    drive(open_search(space, ledger, out, prepare=prepare, profile=profile, watcher=Silent()))
    return [record.candidate for record in read_records(out)]


def judged(candidates: list[Candidate]) -> dict[int, tuple[int, float]]:
    """By size of the vocabulary: target tokens of validation, and the bytes of text to the end of the last one."""
    found: dict[int, tuple[int, float]] = {}
    for candidate in candidates:
        targets = candidate.training.targets()
        end = prepare_tokens(candidate.corpus).bytes_of("validation", 0, targets + 1)
        assert found.setdefault(candidate.model.vocab_size, (targets, end)) == (targets, end)
    return dict(sorted(found.items()))


def forget_the_rule(folder: Path) -> None:
    """The journal as an earlier version wrote it: without the rule, and without checksums of what stood there."""
    journal = folder / JOURNAL
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    kept = [line for line in lines if not {ONE_STRETCH, CHECK} & line.get("user_attr", {}).keys()]
    sums_path(journal).unlink()
    journal.write_text("".join(json.dumps(line) + "\n" for line in kept))


def test_every_vocabulary_is_judged_on_the_same_stretch_of_text() -> None:
    found = judged(searched(12, *SEVERAL))
    counts, ends = zip(*found.values(), strict=True)
    assert tuple(found) == SIZES
    assert counts[0] == TARGETS > counts[1] > counts[2], "the smallest vocabulary has the most tokens there"
    assert max(ends) - min(ends) <= 4, "as near as whole tokens come: their words have at most eight bytes"


def test_a_continued_search_judges_as_it_began() -> None:
    before = judged(searched(3, *SEVERAL))
    after = judged(searched(12, *SEVERAL))
    assert len(after) == 3 and before.items() <= after.items()


def test_a_search_that_began_with_equal_counts_keeps_to_them() -> None:
    searched(3, *SEVERAL)
    forget_the_rule(Path("out"))
    ours = len(read_records(Path("out")))
    watcher = Journalist()
    later = searched(12, *SEVERAL, watcher=watcher)[ours:]
    assert {each.model.vocab_size: each.training.targets() for each in later} == dict.fromkeys(SIZES, TARGETS)
    assert [line for line in watcher.messages if "was begun by an earlier version, which judged each" in line]


def test_nothing_of_it_is_recorded_where_there_is_one_vocabulary() -> None:
    found = judged(searched(3, "corpus.tokenizer={bpe: 512}"))
    assert [counts for counts, _ in found.values()] == [TARGETS]
    assert ONE_STRETCH not in (Path("out") / JOURNAL).read_text()
