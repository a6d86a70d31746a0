"""`reproduce` reads its text where the user says it is now, and a dry run shows just that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from support.command_line import SPACE
from support.made_up_search import drive, profile

from msarch.data.token_set import prepare_tokens
from search.cli.app import main
from search.run.open_search import open_recorded, open_search
from search.run.text import token_preparer
from search.run.watcher import Silent
from search.space.load import load_space


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the results of a search whose text has moved since: training was made up, the text is real."""
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
    (tmp_path / "text.txt").rename(tmp_path / "moved text.txt")
    return tmp_path


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
