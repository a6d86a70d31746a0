"""Text on its way to the terminal: nothing in it is obeyed, and there is no other way."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from rich.text import Text

from search.show.terminal.console import make_console, print_line, printable
from search.show.terminal.fitted_table import FittedColumn, FittedTable

ROOT = Path(__file__).parents[4]
PRINTS = {"search/show/terminal/console.py", "search/run/timing.py"}
"""The second prints JSON for the process that asked for it."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer, 日本語 🙂\tand\nmore", "größer, 日本語 🙂\tand\nmore"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\x00\x7f\x08", "a\\x0db\\x00\\x7f\\x08"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028\u2066\u200f\ufeff", "\\u2028\\u2066\\u200f\\ufeff"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_a_number(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_a_console_keeps_its_own_colours_and_shows_those_of_others() -> None:
    file = io.StringIO()
    make_console(file=file, force_terminal=True, color_system="standard").print(Text("\x1b[31mred", style="green"))
    assert file.getvalue() == "\x1b[32m\\x1b[31mred\x1b[0m\n"


@pytest.mark.parametrize("plain", [False, True])
def test_a_table_is_aligned_whatever_its_cells_hold(plain: bool) -> None:
    table = FittedTable([FittedColumn("name", ["\x1b[2J", "b"], text=True), FittedColumn("n", ["1", "22"])])
    file = io.StringIO()
    if plain:
        file.write(table.plain(40))
    else:
        make_console(file=file, width=40).print(table)
    assert "\\x1b[2J   1\n" in file.getvalue() and "b        22\n" in file.getvalue()


def test_a_line_goes_where_it_should(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("out\x07")
    print_line("err\x07", error=True)
    assert capsys.readouterr() == ("out\\x07\n", "err\\x07\n")


def test_nothing_else_prints() -> None:
    for file in [*(ROOT / "search").rglob("*.py"), *(ROOT / "msarch").rglob("*.py")]:
        called = {
            node.func.id
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        name = str(file.relative_to(ROOT))
        assert name in PRINTS or not called & {"print", "Console"}, f"{name} prints past search.show.terminal.console"
