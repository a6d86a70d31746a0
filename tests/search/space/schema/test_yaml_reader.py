"""YAML means what people mean by it, and every key has a line."""

from __future__ import annotations

from typing import Any

import pytest

from msarch import UserError
from search.space.schema.yaml_reader import format_path, parse_path, read_yaml


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 1e-3),
        ("5E4", 5e4),
        (".5", 0.5),
        ("1.", 1.0),
        ("-2", -2),
        ("10_000", 10_000),
        ("007", 7),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("0x10", "0x10"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2M", "2M"),
        ("256 MiB", "256 MiB"),
        ("'3'", "3"),
        ('"1e-3"', "1e-3"),
        ("4@1", "4@1"),
        ("1..6@4 1@1", "1..6@4 1@1"),
        ("[1, two, {three: 3}]", [1, "two", {"three": 3}]),
    ],
)
def test_a_scalar_is_what_it_looks_like(written: str, value: Any) -> None:
    read = read_yaml(f"key: {written}", "").data["key"]
    assert read == value and type(read) is type(value)


def test_every_key_and_item_has_its_line() -> None:
    document = read_yaml("a:\n  b: 1\n  c:\n    - 2\n    - {d: 3}\n", "f.yaml")
    assert document.lines[("a", "b")] == 2
    assert document.lines[("a", "c", 1, "d")] == 5
    placed = document.place(UserError("is wrong", key="a.c[1].d.min"))
    assert str(placed) == "f.yaml:5: a.c[1].d.min: is wrong"


def test_a_key_stands_once() -> None:
    with pytest.raises(UserError, match=r"f\.yaml:3: a\.b: is given twice, first on line 2"):
        read_yaml("a:\n  b: 1\n  b: 2\n", "f.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "f.yaml:.*is not YAML"),
        ("a: b: c", "f.yaml:1: is not YAML"),
        ("a:\n\t- 1", "f.yaml:2: is not YAML"),
        ("a: !!python/object:os.system x", "the tag '!!python/object:os.system' has no meaning"),
        ("a: &x [*x]", "a\\[0\\]: repeats itself"),
        ("a: *x", "is not YAML"),
        ("? [1]\n: 2", "a key is one word"),
        ("a: " + "9" * 5000, "too many digits"),
        ("a: " + "[" * 5000, "is nested too deeply"),
        ("a: \x00", "is not YAML"),
        ("a: 1\n---\nb: 2", "is not YAML"),
    ],
)
def test_what_is_no_yaml_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read_yaml(text, "f.yaml")
    assert "\n" not in str(raised.value)


def test_a_text_that_repeats_itself_by_reference_stays_small() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UserError, match="is too long"):
        read_yaml("\n".join(lines), "f.yaml")


@pytest.mark.parametrize("key", ["model", "model.variant.top_down.layers[1].min", "points[0]"])
def test_paths_are_written_as_they_are_read(key: str) -> None:
    assert format_path(parse_path(key)) == key
