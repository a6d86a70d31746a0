"""Ray's scratch folder: a killed search's is removed by the next one, and nobody else's ever is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.run.ray import scratch
from search.run.ray.scratch import MARKER, NOTE, remove_left_over, scratch_folder

ROOT = Path(__file__).parents[4]
HOLD = """
import sys
from pathlib import Path
from search.run.ray.scratch import scratch_folder

with scratch_folder(Path(sys.argv[1])) as scratch:
    print(scratch, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def running(results: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that searches into `results`, and its scratch folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(results)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    scratch = Path(process.stdout.readline().strip())
    yield process, scratch
    process.kill()
    process.communicate()
    shutil.rmtree(scratch, ignore_errors=True)


def test_nothing_stays_of_a_search_that_ended(results: Path) -> None:
    with scratch_folder(results) as scratch:
        (scratch / "ray").mkdir()
        assert (results / NOTE).read_text() == str(scratch)
    assert not scratch.exists() and not (results / NOTE).exists()


def test_what_a_killed_search_left_is_removed(running: tuple[subprocess.Popen[str], Path], results: Path) -> None:
    process, left = running
    process.kill()
    process.communicate()
    assert left.is_dir()
    with scratch_folder(results) as scratch:
        assert not left.exists() and scratch.is_dir()


def test_a_copy_of_a_running_search_leaves_its_folder_alone(
    running: tuple[subprocess.Popen[str], Path], results: Path, tmp_path: Path
) -> None:
    _, scratch = running
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    with scratch_folder(copy) as own:
        assert scratch.is_dir() and own != scratch
    with scratch_folder(results):  # nor does the folder itself, as long as its owner lives
        assert scratch.is_dir()


@pytest.mark.parametrize("note", ["{mine}", "{mine}/msarch-mine", "/", "", "\0", "missing", "{results}"])
def test_no_folder_is_removed_because_a_note_names_it(
    note: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in the note, even with a marker of another results folder. Here nothing can be removed."""
    removed: list[Path] = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: removed.append(path))
    monkeypatch.setattr(scratch, "_end_processes", removed.append)
    mine = tmp_path / "mine"
    (mine / "msarch-mine").mkdir(parents=True)
    (mine / "msarch-mine" / MARKER).write_text("/another/folder")
    (mine / "work.txt").write_text("mine")
    (results / NOTE).write_text(note.format(mine=mine, results=results))
    with scratch_folder(results) as own:
        assert not removed
    assert removed == [own]
    monkeypatch.undo()
    shutil.rmtree(own)


def test_a_note_that_is_a_link_is_neither_read_nor_written_through(results: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("mine")
    (results / NOTE).symlink_to(elsewhere)
    with scratch_folder(results):
        assert elsewhere.read_text() == "mine" and not (results / NOTE).is_symlink()
    assert elsewhere.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_left_of_a_killed_searchs_ray_does_not_make_its_folder_anew(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as scratch:
        pass
    scratch.mkdir()  # as a search leaves it that is killed
    (scratch / MARKER).write_text(str(tmp_path.resolve()))
    (tmp_path / NOTE).write_text(str(scratch))
    code = "import os, sys, time\nwhile True: os.makedirs(sys.argv[1], exist_ok=True); time.sleep(0.01)"
    agent = subprocess.Popen([sys.executable, "-c", code, str(scratch / "ray" / "logs")])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"{scratch}-not-this-one"])
    while not (scratch / "ray").exists():
        time.sleep(0.01)
    try:
        remove_left_over(tmp_path)
        assert agent.wait(timeout=30) and other.poll() is None
        assert not scratch.exists()
    finally:
        agent.kill()
        other.kill()
