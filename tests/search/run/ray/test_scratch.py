"""Ray's folder: removed where this results folder's dead search left it, and nothing else is ever removed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from msarch.errors import UserError
from search.ledger.folder import locked
from search.run.ray.scratch import NOTE, scratch_folder

ROOT = Path(__file__).parents[4]
KILLED = """
import os, sys
from pathlib import Path
from search.run.ray.scratch import scratch_folder

with scratch_folder(Path("results")) as scratch:
    print(scratch, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def _short_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t-") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        monkeypatch.setenv("TMPDIR", short)
        yield


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


@pytest.fixture
def left(results: Path) -> Path:
    """What a killed search left."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=results.parent, env={"PYTHONPATH": str(ROOT), "TMPDIR": tempfile.gettempdir()}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.is_dir() and (results / NOTE).read_text() == str(folder)
    return folder


def test_what_a_killed_search_left_is_removed(results: Path, left: Path) -> None:
    with scratch_folder(results) as scratch:
        assert not left.exists() and scratch.is_dir()
    assert not scratch.exists() and not (results / NOTE).exists()


def test_a_copy_of_a_running_searchs_folder_leaves_its_scratch_folder_alone(results: Path) -> None:
    with scratch_folder(results) as running:
        copy = shutil.copytree(results, results.with_name("copy"))
        with scratch_folder(copy) as other:
            assert other != running
        assert running.is_dir()


def test_a_copy_of_a_killed_searchs_folder_leaves_its_scratch_folder_alone(results: Path, left: Path) -> None:
    with scratch_folder(shutil.copytree(results, results.with_name("copy"))):
        assert left.is_dir()


def test_a_folder_that_took_the_place_of_a_running_searchs_one_leaves_it_alone(results: Path) -> None:
    with scratch_folder(results) as running:
        copy = shutil.copytree(results, results.with_name("copy"))
        results.rename(results.with_name("moved"))
        copy.rename(results)
        with scratch_folder(results):
            assert running.is_dir()


@pytest.mark.parametrize("content", ["{theirs}", "", "/", "\0\udcff", "/nowhere/msarch-x"])
def test_whatever_the_note_says_nothing_else_is_removed(results: Path, tmp_path: Path, content: str) -> None:
    theirs = tmp_path / "msarch-theirs"
    theirs.mkdir()
    (theirs / "owner").write_text(str(results))
    (results / NOTE).write_bytes(content.format(theirs=theirs).encode("utf-8", "surrogateescape"))
    with scratch_folder(results):
        assert (theirs / "owner").is_file()


@pytest.mark.parametrize("name", [".lock", NOTE, "study.journal", "study.journal.torn", "ray.log", "trials/0000"])
def test_a_link_out_of_the_folder_is_refused_before_anything_is_written(
    results: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "outside").write_text("kept")
    (results / name).parent.mkdir(exist_ok=True)
    (results / name).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="is a link to"), locked(results):
        pass
    assert (tmp_path / "outside").read_text() == "kept"
