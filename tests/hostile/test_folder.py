"""A stranger's results folder is only read: it cannot write to the terminal, fill it, or end in a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.commands import assert_safe, run_command
from support.made_up_search import open_in, profile, reports_of, space_in

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\rhidden\x00\ud800"
"""An escape sequence that sets a title, one that clears the screen, a C1 one, marks of direction, half a pair."""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: exit status, standard output and standard error."""

    return lambda *arguments: run_command(list(arguments), monkeypatch, capfd)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose checksums are right and whose every free text is hostile: trial 0 failed, others complete."""
    base = tmp_path_factory.mktemp("hostile")
    space = space_in(base, "search.sampler=random", "search.trials=6", "search.pruner=none")

    def told(candidate: Any) -> dict[str, Any]:
        return profile(candidate) | {"kernel": EVIL, EVIL: EVIL}

    coordinator = open_in(space, base / "results", concurrent=1)
    coordinator._trials._profile = told
    while not coordinator.ended:
        job = coordinator.next_job()
        if job is None:
            continue
        if job.number == 0:
            coordinator.report(0, {"number": 0, "state": "failed", "error": EVIL * 300, "curve": []})
            continue
        for report in reports_of(job):
            coordinator.report(job.number, report)
    shutil.copy(base / "space.yaml", base / "results" / "space.yaml")
    (base / "results" / "environment.json").write_text(json.dumps({"platform": EVIL, "packages": {"torch": EVIL}}))
    return base / "results"


@pytest.mark.parametrize("fmt", ["table", "csv", "json"])
def test_a_front_holds_no_control_character(hostile: Path, run: Run, fmt: str) -> None:
    status, out, err = run("pareto", str(hostile), "--format", fmt)
    assert status == 0 and out
    assert_safe(out + err)


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "a terminal"])
def test_no_command_prints_a_control_character(
    hostile: Path, run: Run, monkeypatch: pytest.MonkeyPatch, terminal: bool, tmp_path: Path
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    named = hostile.with_name("named \x1b[31m")
    shutil.copytree(hostile, named, dirs_exist_ok=True)
    for folder in (hostile, named):
        for arguments in (
            ["pareto", str(folder)],
            ["report", str(folder), "--html", str(tmp_path / "r.html")],
            ["reproduce", str(folder), "--trial", "0"],
            ["reproduce", str(folder), "--trial", "1", "--dry-run"],
            ["profile", f"{folder}:1"],
            ["profile", f"{folder}:77"],
            ["pareto", f"{folder} not there"],
        ):
            _, out, err = run(*arguments)
            shown = out + err
            assert "Traceback" not in shown
            for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;32m"):  # our own colours
                shown = shown.replace(code, "")
            assert_safe(shown)


def test_an_error_echoes_at_most_80_characters_of_a_record(hostile: Path, run: Run) -> None:
    status, _, err = run("reproduce", str(hostile), "--trial", "0")
    assert status == 2 and err.count("\n") == 1
    assert len(err) < 400 + len(str(hostile))


def lone_surrogate() -> str:
    return '{"platform": "\\ud800"}'


def deep() -> str:
    return "[" * 100_000


def deep_but_whole() -> str:
    return '{"packages": ' + "[" * 3000 + "]" * 3000 + "}"


def many_digits() -> str:
    return '{"cores": ' + "9" * 10_000 + "}"


@pytest.mark.parametrize("content", [lone_surrogate, deep, deep_but_whole, many_digits])
def test_an_environment_of_any_kind_is_read_or_refused_in_a_line(
    hostile: Path, run: Run, tmp_path: Path, content: Callable[[], str]
) -> None:
    copy = Path(shutil.copytree(hostile, tmp_path / "copy"))
    (copy / "environment.json").write_text(content())
    status, out, err = run("report", str(copy), "--html", str(tmp_path / "report.html"))
    assert status in (0, 2) and err.count("\n") == 1
    assert len(err) < 300 + 2 * len(str(copy))
    assert_safe(out + err)


@pytest.mark.parametrize("piece", ["environment.json", "space.yaml", "study.journal", "study.journal.sums"])
@pytest.mark.parametrize("kind", ["zero", "fifo", "loop", "huge"])
@pytest.mark.timeout(60)
def test_what_is_not_a_file_is_not_read(hostile: Path, run: Run, tmp_path: Path, piece: str, kind: str) -> None:
    copy = Path(shutil.copytree(hostile, tmp_path / "copy"))
    (copy / piece).unlink(missing_ok=True)
    if kind == "zero":
        (copy / piece).symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(copy / piece)
    elif kind == "loop":
        (copy / piece).symlink_to(piece)
    else:
        with (copy / piece).open("wb") as file:
            file.truncate(2**40)
    status, out, err = run("report", str(copy), "--html", str(tmp_path / "report.html"))
    assert status in (0, 2) and err.count("\n") >= 1 and "Traceback" not in err
    assert_safe(out + err)


def test_a_damaged_line_cannot_ask_for_all_memory(hostile: Path, run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(hostile, tmp_path / "copy"))
    line = {"op_code": 8, "trial_id": 10**12, "user_attr": {"candidate": {}}}
    with (copy / "study.journal").open("a") as file:
        file.write(json.dumps(line) + "\n{}\n")
    status, _, err = run("pareto", str(copy), "--skip-damaged")
    assert status in (0, 2) and "Traceback" not in err


@pytest.mark.parametrize("option", ["--png", "--svg", "--html"])
def test_a_picture_makes_no_folder(hostile: Path, run: Run, tmp_path: Path, option: str) -> None:
    target = tmp_path / "not" / "there" / f"front.{option[2:]}"
    status, _, err = run("pareto", str(hostile), option, str(target))
    assert status == 2 and "no folder" in err and err.count("\n") == 1
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize("command", ["profile", "report"])
def test_a_page_makes_no_folder(hostile: Path, run: Run, tmp_path: Path, command: str) -> None:
    status, _, err = run(command, str(hostile), "--html", str(tmp_path / "not" / "there.html"))
    assert status == 2 and "no folder" in err and err.count("\n") == 1
    assert not (tmp_path / "not").exists()


def name_too_long(folder: Path) -> str:
    return str(folder / ("x" * 300))


def path_too_long(folder: Path) -> str:
    return str(folder) + "/x" * 3000


def a_loop(folder: Path) -> str:
    (folder / "loop").symlink_to("loop")
    return str(folder / "loop")


def below_a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    return str(folder / "file" / "below")


def not_there(folder: Path) -> str:
    return str(folder / "not" / "there")


@pytest.mark.parametrize("place", [name_too_long, path_too_long, a_loop, below_a_file, not_there])
@pytest.mark.parametrize(
    "arguments",
    [
        ["pareto", "{}"],
        ["pareto", "{hostile}", "--png", "{}/front.png"],
        ["pareto", "{hostile}", "--html", "{}/page.html"],
        ["report", "{}"],
        ["reproduce", "{}"],
        ["profile", "{}"],
        ["profile", "{}:1"],
        ["profile", "{}.yaml"],
        ["profile", "{hostile}", "--against", "{}"],
        ["profile", "{hostile}", "--html", "{}/page.html"],
        ["search", "{}"],
        ["search", "{}.yaml"],
        ["spaces", "{}"],
        ["spaces", "--draw", "{}"],
        ["search", "quickstart", "--dry-run", "--set", "corpus.train={}"],
        ["search", "quickstart", "--dry-run", "--set", "corpus.tokenizer.file={}"],
    ],
    ids=" ".join,
)
def test_a_path_that_cannot_be_is_told_in_a_line(
    hostile: Path, run: Run, tmp_path: Path, place: Callable[[Path], str], arguments: list[str]
) -> None:
    path = place(tmp_path)
    status, _, err = run(*(word.replace("{hostile}", str(hostile)).replace("{}", path) for word in arguments))
    assert status == 2
    [line] = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(line) < 1000 + len(str(tmp_path)), "a path that no file system accepts is not echoed whole"
    assert "Traceback" not in err
