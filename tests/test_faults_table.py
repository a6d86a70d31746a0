"""The table that `make test-faults` ends with, from a run of pytest on tests that pass, fail and skip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.command_line import ROOT

TESTS = """
import pytest

@pytest.mark.faults("a kill", times=20, end="all there")
def test_kill(record_property): record_property("measured", "0.4 s a trial")

@pytest.mark.faults("a cut file", times=50, end="told in a line")
@pytest.mark.parametrize("kind", ["head", "tail"])
def test_cut(kind): pass

@pytest.mark.faults("a full disk", end="told in a line")
def test_full(): assert False

@pytest.mark.faults("a lost node", end="goes on")
def test_lost(): pytest.skip("no rights")

def test_other(): pass
"""


def test_it_says_what_was_done_how_often_and_how_it_ended(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT / 'tests'}\nmarkers =\n    faults: violence\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    lines = [" ".join(line.split()) for line in said.partition(" faults ")[2].splitlines()[1:6]]
    assert lines == [
        "what is done times seconds how it ends",
        "a kill 20 0 all there; 0.4 s a trial",
        "a cut file 100 0 told in a line",
        "a full disk 1 0 FAILED in call: test_full",
        "a lost node 1 0 not tried: no rights",
    ], said
