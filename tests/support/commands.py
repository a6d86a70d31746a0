"""A command run in this process, and what must not be in what it prints."""

from __future__ import annotations

import sys
import unicodedata

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


def assert_safe(text: str) -> None:
    """No character that a terminal obeys, but for line ends and tabs."""
    found = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in "\n\t"}
    assert not found, f"{found!r} in {text!r}"
