"""What the command line says of errors of files that nothing else has named."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Here

from search.cli import app


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "models/a b.csv"), "models/a b.csv: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), "reading or writing failed: No space left on device"),
        (OSError("bad\nblock"), "reading or writing failed: OSError: bad block"),
        (TimeoutError(), "reading or writing failed: TimeoutError"),
    ],
)
def test_each_error_of_a_file_is_one_line(
    error: OSError, line: str, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**options: object) -> None:
        raise error

    monkeypatch.setattr(app, "app", fail)
    done = here("pareto")
    assert (done.returncode, done.stderr) == (2, f"error: {line}\n")


@pytest.mark.parametrize("arguments", [["spaces"], ["--version"]])
def test_output_that_finds_no_room_is_one_line(arguments: list[str]) -> None:
    """Much of it, which fails while it is written, and little, which fails when it is flushed."""
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "msarch", *arguments]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: reading or writing failed: No space left on device\n")
