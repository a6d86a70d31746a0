"""Text of one's own on the command line: a mistake is one line and status 2, a warning is one line."""

from __future__ import annotations

import gzip
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import SPACE

from msarch.errors import TextWarning
from search.cli.app import main
from search.cli.text_warnings import text_warnings_to


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("".join(f"{number} small cats and dogs. " for number in range(900)))
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *overrides: str) -> str:
    """What a search says that does not start."""
    settings = [word for override in overrides for word in ("--set", override)]
    monkeypatch.setattr(sys, "argv", ["msarch", "search", "space.yaml", "--out", "new", *settings])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert not Path("new/study.journal").exists()
    return capsys.readouterr().err


def a_folder(path: Path) -> None:
    path.mkdir()


def cut_short(path: Path) -> None:
    path.write_bytes(gzip.compress(b"text " * 999)[:-9])


def latin(path: Path) -> None:
    path.write_bytes(b"caf\xe9 " * 99)


def without_column(path: Path) -> None:
    path.write_text('{"body": "a"}\n')


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("x.txt", a_folder, "x.txt is a folder; name its files"),
        ("x.txt.gz", cut_short, "x.txt.gz cannot be decompressed"),
        ("x.txt", latin, "byte 0xe9 at 3, in line 1"),
        ("x.jsonl", without_column, "Legal: body"),
        ("x.csv", lambda path: path.write_text(""), "the train text is empty: nothing but blanks in"),
    ],
)
def test_text_that_cannot_be_read_is_one_line(
    folder: Path,
    name: str,
    make: Callable[[Path], None],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(folder / name)
    said = refused(monkeypatch, capsys, f"corpus.train={name}")
    assert said.startswith("error: --set corpus.train: ") and told in said and len(said.splitlines()) == 1


def test_a_copy_as_validation_text_is_one_line_of_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "copy.txt").write_bytes((folder / "text.txt").read_bytes())
    overrides = ["--set", "corpus.validation=copy.txt", "--set", "training.validation_tokens=9M"]  # ends before Ray
    monkeypatch.setattr(sys, "argv", ["msarch", "search", "space.yaml", "--out", "new", *overrides])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr()
    warned = [line for line in printed.out.splitlines() if line.startswith("warning: ")]
    assert warned == [
        "warning: corpus.validation: 1 of 1 validation documents (100% of the text) are also in the train text: a "
        "model may know them by heart. Remove them from one of the two"
    ]
    assert printed.err.startswith("error: --set corpus.validation: the validation text is")


def test_other_warnings_show_as_they_would() -> None:
    told: list[str] = []

    def warn() -> None:
        with text_warnings_to(told.append):
            for _ in range(2):
                warnings.warn("some\ntext", TextWarning, stacklevel=1)
            warnings.warn("another", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="another") as others:
        warn()
    assert told == ["warning: some text"] and len(others) == 1
