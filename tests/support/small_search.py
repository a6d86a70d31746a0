"""One small search in real processes, whose results many files of tests read: it runs once for all workers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from support.command_line import fill, msarch


def search_once(factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a space, the results of its search and, in `search.out`, what that printed: read only."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "small-search"
    with FileLock(shared / "small-search.lock"):
        if not folder.exists():
            shutil.move(_search(factory.mktemp("search")), folder)
    return folder


def _search(folder: Path) -> Path:
    """Beside a file that shares a package's name, as a user may have one."""
    fill(folder)
    (folder / "search.py").write_text("raise SystemExit('the search.py of the user ran')")
    done = msarch("search", "space.yaml", "--concurrent", 1, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (folder / "search.py").unlink()
    (folder / "search.out").write_text(done.stdout)
    return folder
