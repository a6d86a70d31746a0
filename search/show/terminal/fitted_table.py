"""A table that never cuts a number: where there is no room, text wraps, then columns are left out and named.

Where there is no room even for the columns that must stay, rows are stacked: a line for each cell, after its heading.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.show.terminal.console import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
    from rich.table import Table

ESSENTIAL = 1000
IF_UNWRAPPED = 0
"""Importance of a column that is shown only where no text has to wrap for it."""
GAP = 2
PIPED_WIDTH = 100
LONGEST_HEADING = 16


@dataclass(frozen=True, slots=True, eq=False)
class FittedColumn:
    """One column.

    Attributes:
        heading: its name, which may wrap between words.
        cells: one a row.
        importance: the least important column is left out first, of equal ones the last; an ESSENTIAL one never is.
        text: whether it is set to the left, and may wrap between words; figures are set to the right, and stay whole.
        at_least: characters that it takes where there is room, so that tables below one another line up.
    """

    heading: str
    cells: Sequence[str]
    importance: int = ESSENTIAL
    text: bool = False
    at_least: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "heading", printable(self.heading))
        object.__setattr__(self, "cells", [printable(cell) for cell in self.cells])

    @property
    def wanted(self) -> int:
        """Characters that it takes without wrapping."""
        return max(self.at_least, *map(len, (self.heading, *self.cells)))

    @property
    def needed(self) -> int:
        """Characters without which something in it would be cut."""
        cells = [word for cell in self.cells for word in (cell.split() if self.text else [cell])]
        # a heading may be somebody's path, which may break anywhere
        return max(map(len, [word[:LONGEST_HEADING] for word in self.heading.split()] + cells), default=0)


@dataclass(frozen=True)
class FittedColumns:
    """What is shown, how wide each column is (nothing where rows are stacked), and what is left out."""

    columns: list[FittedColumn]
    widths: list[int]
    left_out: list[str]


def fit_columns(columns: Sequence[FittedColumn], room: int, *, wrap: bool = True) -> FittedColumns:
    """The columns that `room` characters hold, in their order; text takes several lines only where it may `wrap`."""
    kept = list(columns)
    while _width(kept, wrap=False) > room and (column := _least_important(kept, IF_UNWRAPPED)):
        kept.remove(column)
    while _width(kept, wrap=wrap) > room and (column := _least_important(kept, ESSENTIAL - 1)):
        kept.remove(column)
    spare = room - _width(kept, wrap=wrap)
    if spare < 0:
        return FittedColumns(list(columns), [], [])
    widths = []
    for column in kept:
        width = min(column.wanted, (column.needed if wrap else column.wanted) + spare)
        spare -= width - (column.needed if wrap else column.wanted)
        widths.append(width)
    return FittedColumns(kept, widths, [c.heading for c in columns if c.heading and c not in kept])


class FittedTable:
    """Columns of equal length, drawn by rich as wide as there is room, or as plain lines by `plain`.

    Rows in `bold` stand out. A line below names the columns for which there was no room.
    """

    def __init__(self, columns: Sequence[FittedColumn], bold: Collection[int] = ()) -> None:
        self.columns, self.bold = list(columns), frozenset(bold)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        found = fit_columns(self.columns, options.max_width)
        if found.widths:
            yield self._table(found)
        else:
            yield Text("\n".join(self._stacked()))
        if found.left_out:
            yield Text(_no_room(found), style="dim")

    def plain(self, room: int) -> str:
        """The same without rules and colours, a line a row."""
        found = fit_columns(self.columns, room, wrap=False)
        if not found.widths:
            return "\n".join(self._stacked()) + "\n"
        rows = zip(*((column.heading, *column.cells) for column in found.columns), strict=True)
        lines = [_aligned(row, found) for row in rows]
        return "\n".join([*lines, *([_no_room(found)] if found.left_out else [])]) + "\n"

    def _table(self, found: FittedColumns) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        # the box draws one blank between columns, the padding another: GAP
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for column, width in zip(found.columns, found.widths, strict=True):
            side: JustifyMethod = "left" if column.text else "right"
            table.add_column(Text(column.heading), justify=side, width=width, overflow="fold")
        for index, row in enumerate(zip(*(column.cells for column in found.columns), strict=True)):
            table.add_row(*map(Text, row), style="bold" if index in self.bold else None)
        return table

    def _stacked(self) -> list[str]:
        lines = []
        for row in zip(*(column.cells for column in self.columns), strict=True):
            named = zip(self.columns, row, strict=True)
            lines += [f"{column.heading} {cell}".strip() for column, cell in named if cell] + [""]
        return lines[:-1]


def _width(columns: Sequence[FittedColumn], *, wrap: bool) -> int:
    return sum(column.needed if wrap else column.wanted for column in columns) + GAP * (len(columns) - 1)


def _least_important(columns: Sequence[FittedColumn], at_most: int) -> FittedColumn | None:
    droppable = [column for column in reversed(columns) if column.importance <= at_most]
    return min(droppable, key=lambda column: column.importance, default=None)


def _aligned(row: Sequence[str], found: FittedColumns) -> str:
    cells = zip(row, found.columns, found.widths, strict=True)
    return (" " * GAP).join(c.ljust(width) if column.text else c.rjust(width) for c, column, width in cells).rstrip()


def _no_room(found: FittedColumns) -> str:
    return f"no room for: {', '.join(found.left_out)}"


def output_width() -> int:
    """Characters in a line of standard output; $COLUMNS, or else 100, where that is a file or another program."""
    return shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
