"""A space is found by path or by name; what cannot be read is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from msarch import UserError
from search.space.load import load_space


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown space 'quikstart', did you mean 'quickstart'"):
        load_space("quikstart")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"", "must be a mapping|is missing"),
        (b"# only a comment\n", "is missing"),
        (b"a" * (2**20 + 1), "is too large"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_space_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        load_space(path)
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)


def test_a_folder_is_no_space(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        load_space(f"{tmp_path}{os.sep}")
    assert str(raised.value) == f"{tmp_path}: is a folder, not a YAML file"


def test_what_is_neither_path_nor_name_is_refused() -> None:
    with pytest.raises(UserError, match="must be the path of a YAML file or the name of a space that ships, got 3"):
        load_space(3)  # type: ignore[arg-type]  # wrong on purpose
