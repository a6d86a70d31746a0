"""A file appears whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.full_disk import SMALL, files_stay_small

from msarch.atomic_files import atomic_write, remove_left_over


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with atomic_write(path) as temporary:
        temporary.write_text("a,b\n")
        assert not path.exists()
        assert temporary.parent == path.parent and temporary.suffix == ".csv"
        assert temporary.name.startswith(".") and str(os.getpid()) in temporary.name
    assert path.read_text() == "a,b\n" and list(path.parent.iterdir()) == [path]


def test_what_stood_there_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("cut short")

    with pytest.raises(RuntimeError, match="cut short"):
        write()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named_by_its_own_name(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_write(tmp_path / "table.csv") as temporary:
            temporary.write_text("a" * 2 * SMALL)

    def copy() -> None:
        with atomic_write(tmp_path / "table.csv") as temporary:
            shutil.copyfile(sys.executable, temporary)

    for fill in (write, copy):
        with files_stay_small(), pytest.raises(OSError, match="File too large") as raised:
            fill()
        assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(tmp_path / "table.csv"))
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as raised, atomic_write(tmp_path / "folder") as temporary:
        temporary.write_text("a")
    assert raised.value.filename == str(tmp_path / "folder")


def test_another_file_that_cannot_be_read_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, atomic_write(tmp_path / "copy.csv") as temporary:
        shutil.copyfile(tmp_path / "gone.csv", temporary)
    assert Path(raised.value.filename) == tmp_path / "gone.csv"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with atomic_write(path) as one, atomic_write(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "whole") as temporary:
        temporary.write_text("")
    plain, whole = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "whole"))
    assert whole == plain


def test_the_content_is_on_disk_before_it_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    flush, rename = os.fsync, Path.replace

    def flushing(handle: int) -> None:
        done.append("flushed")
        flush(handle)

    def renaming(self: Path, target: Path) -> Path:
        done.append("renamed")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(Path, "replace", renaming)
    with atomic_write(tmp_path / "table.csv") as temporary:
        temporary.write_text("whole")
    assert done == ["flushed", "renamed"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = [f".report.{ended.pid}-0123abcd.html", f".study.{ended.pid}-0123abcd"]
    mine = f".report.{os.getpid()}-0123abcd.html"
    kept = [mine, ".lock", ".scratch", "report.html", f"report.{ended.pid}-0123abcd.html"]
    for name in (*left, *kept):
        (tmp_path / name).write_text("")
    remove_left_over(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
