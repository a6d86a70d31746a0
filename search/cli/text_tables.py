"""Tables of words and figures, printed: with rules on a terminal, as plain lines elsewhere."""

from __future__ import annotations

from search.show.compare.tables import TextTable
from search.show.terminal.console import make_console, print_line
from search.show.terminal.fitted_table import ESSENTIAL, FittedColumn, FittedTable, output_width
from search.show.terminal.front_table import wants_colour


def print_text_table(table: TextTable) -> None:
    """The table and an empty line, as wide as standard output."""
    fitted = _fitted(table)
    if wants_colour():
        make_console().print(fitted)
    else:
        print_line(fitted.plain(output_width()).rstrip("\n"))
    print_line("")


_LESS = {"variant": 45, "complete": 30, "tokens": 20, "its best model": 60, "at": 40, "unbeaten": 50}
"""How much the columns matter that may be left out."""


def _fitted(table: TextTable) -> FittedTable:
    columns = zip(*table.rows, strict=True)
    return FittedTable(
        [
            FittedColumn(heading, cells, _LESS.get(heading, ESSENTIAL), text=index < table.texts)
            for index, (heading, cells) in enumerate(zip(table.headings, columns, strict=True))
        ]
    )
