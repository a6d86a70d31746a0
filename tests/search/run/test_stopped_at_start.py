"""A search that is told to end while Ray starts ends like any other: with its tables, and without a folder of Ray's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import ROOT, fill


@pytest.mark.faults("SIGTERM while Ray starts", end="tables are written, no folder is left")
def test_sigterm_while_ray_starts_leaves_no_folder(tmp_path: Path) -> None:
    fill(tmp_path)
    scratch = tmp_path / "scratch"  # Ray's sockets need a short path: where this one is too long, /tmp is used
    scratch.mkdir()
    command = [sys.executable, "-u", "-m", "msarch", "search", "space.yaml", "--trials", "2", "--out", "r"]
    search = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MSARCH_CACHE": str(tmp_path / ".cache"), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    note, left = tmp_path / "r" / ".scratch", ""
    while search.poll() is None and not (left := note.read_text() if note.is_file() else ""):
        pass
    search.send_signal(signal.SIGTERM)
    said, _ = search.communicate()
    assert search.returncode == 130 and "continue with: msarch search" in said
    assert left and not Path(left).exists() and not note.exists()
    assert (tmp_path / "r" / "trials.csv").is_file()
