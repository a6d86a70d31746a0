"""A command run in this process, and what must not be in what it prints."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from search.cli.app import main


def run_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `msarch ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["msarch", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), *capfd.readouterr()


class Here:
    """The command line in this process: `here("pareto", "results/space")` is the command in one folder.

    Much quicker than a process for each, which has torch to import: for commands that start nothing themselves.
    """

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        monkeypatch.chdir(place)
        monkeypatch.setenv("MSARCH_CACHE", str(place / ".cache"))
        self._patches = (monkeypatch, capfd)

    def __call__(self, *arguments: object) -> CompletedProcess[str]:
        """Status, output and errors, as of a process."""
        words = [str(argument) for argument in arguments]
        return CompletedProcess(words, *run_command(words, *self._patches))


def assert_safe(text: str) -> None:
    """No character that a terminal obeys, but for line ends and tabs."""
    found = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in "\n\t"}
    assert not found, f"{found!r} in {text!r}"
