"""Whoever silences ruff or mypy on a line says why on that line."""

from __future__ import annotations

import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = r"[A-Z]+[0-9]+"
SUPPRESSION = re.compile(
    rf"#\s*(?:(type:\s*ignore)(\[[\w, -]+\])?|(noqa)(:\s*{CODE}(?:[,\s]\s*{CODE})*)?|(?:fmt|mypy|ruff):\s*[\w-]+)"
)


def unexplained(path: Path) -> list[str]:
    """The lines of a file with a suppression that names no code, or that gives no reason in a comment after it."""
    found = []
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            match = SUPPRESSION.match(token.string) if token.type == tokenize.COMMENT else None
            if match is None:
                continue
            bare = (match[1] and not match[2]) or (match[3] and not match[4])
            if bare or not re.match(r"\s+# (?!type:|noqa|fmt:)\w.{4,}", token.string[match.end() :]):
                found.append(f"{path}:{token.start[0]}: {token.string}")
    return found


def test_every_suppression_gives_its_reason() -> None:
    try:
        listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout: nothing says which files are ours")
    files = [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    assert len(files) > 200
    assert [line for file in files for line in unexplained(file)] == []


@pytest.mark.parametrize(
    "comment",
    [
        "# type: ignore",
        "# type: ignore[arg-type]",
        "# type: ignore  # with a reason, but for any error",
        "# noqa",
        "# noqa: E501",
        "# noqa: PTH111  # type: ignore[misc]",
        "# noqa: N802 - a reason that is no comment of its own",
        "# fmt: skip",
        "# fmt: off",
    ],
)
def test_a_bare_suppression_is_found(comment: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f"first = 1\nvalue = 2  {comment}\n")
    assert unexplained(file) == [f"{file}:2: {comment}"]
    file.write_text(f'value = "{comment}"\n')  # in a string it silences nothing
    assert unexplained(file) == []


@pytest.mark.parametrize("comment", ["# type: ignore[misc]", "# noqa: PTH111", "# noqa: PTH111, E501", "# fmt: skip"])
def test_an_explained_one_is_not(comment: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f"value = 2  {comment}  # the library's own name\n")
    assert unexplained(file) == []
