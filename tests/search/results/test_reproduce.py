"""`reproduce` reads its text where the user says it is now, and a dry run shows just that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from search.cli.app import main


@pytest.fixture
def moved(searched: Path) -> Path:
    """A folder with the results of a search whose text has moved since."""
    (searched / "text.txt").rename(searched / "moved text.txt")
    return searched


def reproduce(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit status, and what a dry run prints."""
    monkeypatch.setattr(sys, "argv", ["msarch", "reproduce", "results", "--dry-run", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.err or printed.out


@pytest.mark.usefixtures("moved")
def test_a_dry_run_shows_the_text_that_would_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, shown = reproduce("--set", "corpus.train=moved text.txt", capsys=capsys, monkeypatch=monkeypatch)
    assert status == 0
    assert yaml.safe_load(shown.partition("\n")[2])["corpus"]["train"] == ["moved text.txt"]
    status, shown = reproduce(capsys=capsys, monkeypatch=monkeypatch)
    assert status == 0 and "- text.txt" in shown


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("corpus.train=text.txt", "corpus.train: 'text.txt' names no file"),
        ("corpus.train=other.txt", "corpus.content: the text is another"),
        ("corpus.train=", "corpus.train: "),
        ("corpus.train=[moved text.txt", "--set corpus.train: "),
        ("corpus.train={a: b}", "--set corpus.train: must be a file pattern"),
        ("corpus.test=moved text.txt", "corpus.validation: names test text but no validation text"),
        ("corpus.trian=text.txt", "--set: unknown key 'corpus.trian', did you mean 'corpus.train'?"),
        ("corpus.train", "--set: must be KEY=PATTERN"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would_refuse(
    override: str, told: str, moved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (moved / "other.txt").write_text("quite another text " * 200)
    monkeypatch.setenv("MSARCH_CACHE", str(moved / "empty"))
    status, shown = reproduce("--set", override, capsys=capsys, monkeypatch=monkeypatch)
    assert status == 2
    assert shown.startswith(f"error: {told}") and len(shown.splitlines()) == 1
