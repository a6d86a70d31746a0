"""Results folders with pieces missing or damaged: every command either works or says in one line what is wrong."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import fill, msarch

from msarch.errors import UserError
from search.cli.app import main
from search.results.results import load_results

PIECES = [
    "space.yaml",
    "study.journal",
    "study.journal.sums",
    "environment.json",
    "trials.csv",
    "curves.csv",
    "pareto.csv",
    "tokenizer.json",
    "report.html",
    "trials/0000/config.yaml",
    "trials/0000/metrics.csv",
    "trials/0000/model.safetensors",
    "trials",
]


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def halve(path: Path) -> None:
    if path.is_file():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    if path.is_file():
        path.write_bytes(b"")


def scramble(path: Path) -> None:
    if path.is_file():
        path.write_bytes(bytes(range(256)) * 8)


def become_a_folder(path: Path) -> None:
    remove(path)
    path.mkdir()


COMMANDS = [
    ["pareto", "copy"],
    ["pareto", "copy", "--format", "csv"],
    ["report", "copy", "--html", "copy.html"],
    ["reproduce", "copy", "--dry-run"],
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fill(tmp_path_factory.mktemp("sound"))
    done = msarch("search", "space.yaml", "--trials", 2, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and standard error of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["msarch", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize("damage", [remove, halve, empty, scramble, become_a_folder], ids=lambda f: f.__name__)
@pytest.mark.parametrize("piece", PIECES)
def test_a_damaged_piece_is_told_in_one_line_or_not_needed(
    piece: str,
    damage: Callable[[Path], None],
    sound: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(sound / "results" / "space", tmp_path / "copy")
    damage(tmp_path / "copy" / piece)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    for command in COMMANDS:
        status, err = run(command, monkeypatch, capsys)
        assert status in (0, 2), err
        if status == 2:
            assert err.startswith("error: ") and len(err.splitlines()) == 1, err
            assert Path(piece).name in err or "copy" in err
    assert before == {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}


def test_without_its_tables_a_folder_shows_the_same_front(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal is the one truth."""
    shutil.copytree(sound / "results" / "space", tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    fronts = []
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["msarch", "pareto", "copy", "--format", "csv"])
        with pytest.raises(SystemExit):
            main()
        fronts.append(capsys.readouterr().out)
        for path in (tmp_path / "copy").glob("*.csv"):
            path.unlink()
    assert fronts[0] == fronts[1] and len(fronts[0].splitlines()) > 1


def test_a_cut_journal_is_refused_and_what_is_whole_can_be_shown(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = shutil.copytree(sound / "results" / "space", tmp_path / "copy") / "study.journal"
    monkeypatch.chdir(tmp_path)
    journal.write_bytes(journal.read_bytes()[:-20])
    for command in (["pareto", "copy"], ["report", "copy"], ["reproduce", "copy", "--dry-run"]):
        status, err = run(command, monkeypatch, capsys)
        assert status == 2 and "study.journal: is damaged: the end is missing, 1 of" in err and "--skip-damaged" in err
        status, err = run([*command, "--skip-damaged"], monkeypatch, capsys)
        assert status == 0 and err.startswith("note: ") and "lines; only trials" in err


@pytest.mark.parametrize("damage", [scramble, become_a_folder], ids=lambda f: f.__name__)
def test_a_search_into_a_folder_with_a_damaged_ledger_stops_and_changes_nothing(
    damage: Callable[[Path], None], sound: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path / "all")
    journal = tmp_path / "all" / "results" / "space" / "study.journal"
    damage(journal)
    done = msarch("search", "space.yaml", "--trials", 3, cwd=tmp_path / "all")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "study.journal" in done.stderr
    assert (sound / "results" / "space" / "trials.csv").read_bytes() == (
        tmp_path / "all" / "results" / "space" / "trials.csv"
    ).read_bytes()


def test_what_is_not_a_folder_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("")
    with pytest.raises(UserError, match=r"space.yaml is a file, not a results folder$"):
        load_results(tmp_path / "space.yaml")
    with pytest.raises(UserError, match="must be the path of a results folder, got 3"):
        load_results(3)  # type: ignore[arg-type]  # wrong on purpose
