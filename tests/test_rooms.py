"""Imports go one way: each room imports only those that docs/architecture.md names beside it, all of them below it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `((?:msarch|search)/\w+)` \| ?([\w, ]*) \|", re.MULTILINE)
ALLOWED = {room: [name for name in names.split(", ") if name.strip()] for room, names in ROW.findall(PAGE)}
FRONT_DOORS = {
    ("search/results/results.py", "search/show"),  # Results.write_report and write_plot, for who works in Python
}


def room_of(module: str) -> str:
    """`search.show.plots` is in search/show; what lies beside the rooms is in none."""
    room = "/".join(module.split(".")[:2])
    return room if (ROOT / room).is_dir() and room.count("/") else ""


def imports_of(file: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_page_names_every_room_and_no_other() -> None:
    rooms = {
        str(init.parent.relative_to(ROOT)) for top in ("msarch", "search") for init in ROOT.glob(f"{top}/*/__init__.py")
    }
    assert set(ALLOWED) == rooms


def test_the_page_draws_no_circle() -> None:
    for package in ("msarch", "search"):
        above: set[str] = set()
        for room in reversed([room for room in ALLOWED if room.startswith(package)]):
            assert not above & set(ALLOWED[room]), f"{room} imports a room above it"
            above.add(room.partition("/")[2])


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_page_allows(room: str) -> None:
    package = room.partition("/")[0]
    allowed = {room, *(f"{package}/{name}" for name in ALLOWED[room])}
    for file in (ROOT / room).rglob("*.py"):
        name = str(file.relative_to(ROOT))
        for target in filter(None, map(room_of, imports_of(file))):
            if package == "search" and target.startswith("msarch/"):
                continue
            assert target in allowed or (name, target) in FRONT_DOORS, f"{name} imports {target}"


def test_only_the_front_doors_of_msarch_name_search() -> None:
    names = {
        str(file.relative_to(ROOT / "msarch"))
        for file in (ROOT / "msarch").rglob("*.py")
        for module in imports_of(file)
        if module.split(".")[0] == "search"
    }
    assert names == {"__init__.py", "__main__.py", "optuna.py"}


def test_ray_stays_behind_its_door() -> None:
    for file in [*(ROOT / "msarch").rglob("*.py"), *(ROOT / "search").rglob("*.py")]:
        tops = {module.split(".")[0] for module in imports_of(file)}
        assert "ray" not in tops or file.is_relative_to(ROOT / "search" / "run" / "ray"), file
        assert "optuna" not in tops or file.is_relative_to(ROOT / "search"), file


def test_the_trial_that_the_page_follows_begins_in_a_space_that_ships() -> None:
    [line] = re.findall(r"```yaml\n(.*)\n```", PAGE)
    assert line in (ROOT / "spaces" / "quickstart.yaml").read_text(encoding="utf-8")
