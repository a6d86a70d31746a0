"""Results folders with pieces missing or damaged: every command either works or says in one line what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Here

from msarch.errors import UserError
from search.results.results import load_results

READ = ["space.yaml", "study.journal", "study.journal.sums", "environment.json", "trials/0000/config.yaml"]
"""By these commands, or by some of them."""
UNREAD = [
    "trials.csv",
    "curves.csv",
    "pareto.csv",
    "tokenizer.json",
    "report.html",
    "trials/0000/metrics.csv",
    "trials/0000/model.safetensors",
]
FOLDER = "trials"


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
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
MISSING, CONTENT = [remove, become_a_folder], [halve, empty, scramble]
# Every command meets every piece and, in what it reads, every damage; all that meet, with `make test-slow`.
CASES = [
    pytest.param(
        piece,
        damage,
        COMMANDS[half::2],
        marks=[] if half == (row + column) % 2 and (piece in READ or damage in MISSING) else pytest.mark.slow,
        id=f"{piece}-{damage.__name__}-{half}",
    )
    for row, piece in enumerate([*READ, *UNREAD, FOLDER])
    for column, damage in enumerate(MISSING if piece == FOLDER else MISSING + CONTENT)
    for half in (0, 1)
]


@pytest.fixture
def copy(small_search: Path, tmp_path: Path) -> Path:
    """A results folder to damage."""
    return shutil.copytree(small_search / "results" / "space", tmp_path / "copy")


@pytest.fixture
def here(copy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Commands run beside the copy."""
    return Here(copy.parent, monkeypatch, capfd)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("piece", "damage", "commands"), CASES)
def test_a_damaged_piece_is_told_in_one_line_or_not_needed(
    piece: str, damage: Callable[[Path], None], commands: list[list[str]], copy: Path, here: Here
) -> None:
    sound = [here(*command).stdout if command[0] == "pareto" else "" for command in commands]
    damage(copy / piece)
    before = contents(copy)
    for command, output in zip(commands, sound, strict=True):
        done = here(*command)
        assert done.returncode in (0, 2), done.stderr
        if done.returncode == 2:
            assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1, done.stderr
            assert Path(piece).name in done.stderr
        elif command[0] == "pareto":
            assert done.stdout == output
    assert before == contents(copy)


def test_without_its_tables_a_folder_shows_the_same_front(copy: Path, here: Here) -> None:
    """The journal is the one truth."""
    fronts = []
    for _ in range(2):
        fronts.append(here("pareto", "copy", "--format", "csv").stdout)
        for path in copy.glob("*.csv"):
            path.unlink()
    assert fronts[0] == fronts[1] and len(fronts[0].splitlines()) > 1


def test_a_cut_journal_is_refused_and_what_is_whole_can_be_shown(copy: Path, here: Here) -> None:
    journal = copy / "study.journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    for command in (["pareto", "copy"], ["report", "copy"], ["reproduce", "copy", "--dry-run"]):
        done = here(*command)
        assert done.returncode == 2 and "--skip-damaged" in done.stderr
        assert "study.journal: is damaged: the end is missing, 1 of" in done.stderr
        done = here(*command, "--skip-damaged")
        assert done.returncode == 0 and done.stderr.startswith("note: ") and "lines; only trials" in done.stderr


@pytest.mark.parametrize("damage", [scramble, become_a_folder], ids=lambda f: f.__name__)
def test_a_search_into_a_folder_with_a_damaged_ledger_stops_and_changes_nothing(
    damage: Callable[[Path], None], small_search: Path, copy: Path, here: Here
) -> None:
    for name in ("text.txt", "space.yaml"):
        shutil.copy2(small_search / name, copy.parent)
    damage(copy / "study.journal")
    done = here("search", "space.yaml", "--out", "copy", "--trials", 7)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "study.journal" in done.stderr
    assert (copy / "trials.csv").read_bytes() == (small_search / "results" / "space" / "trials.csv").read_bytes()


def test_what_is_not_a_folder_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("")
    with pytest.raises(UserError, match=r"space.yaml is a file, not a results folder$"):
        load_results(tmp_path / "space.yaml")
    with pytest.raises(UserError, match="must be the path of a results folder, got 3"):
        load_results(3)  # type: ignore[arg-type]  # wrong on purpose
