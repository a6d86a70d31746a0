"""What `msarch --help` lists."""

from __future__ import annotations

import re

import pytest
from support.commands import run_command

from search.cli.app import COMMANDS


def test_every_command_is_listed_with_a_sentence_that_is_not_cut(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, text, _ = run_command(["--help"], monkeypatch, capfd)
    listed = dict(re.findall(r"^  ([a-z]+) +([A-Z].*)$", text.partition("Commands:")[2], re.MULTILINE))
    assert status == 0 and list(listed) == [command.__name__ for command in COMMANDS]
    assert all(sentence.endswith((".", "?")) and "..." not in sentence for sentence in listed.values())


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_every_commands_help_explains_each_option(
    command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    status, text, errors = run_command([command, "--help"], monkeypatch, capfd)
    assert (status, errors) == (0, "") and text.startswith(f"Usage: msarch {command} [OPTIONS]")
    options = [line for line in text.splitlines() if line.startswith("  --")]
    assert options and all(re.search(r"\S  +[A-Z]", line) for line in options)
