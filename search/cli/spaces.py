"""`msarch spaces`: the spaces that ship, one of them described, one model drawn."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from search.cli.notes import print_notes
from search.show.terminal.console import make_console, print_line
from search.show.terminal.fitted_table import FittedColumn, FittedTable
from search.space.files import shipped_spaces, space_summary


def list_spaces() -> None:
    """The spaces that ship, one a line; only a terminal too narrow for that wraps what they are for."""
    spaces = shipped_spaces()
    purposes = [space_summary(text) for text in spaces.values()]
    table = FittedTable(
        [FittedColumn("name", list(spaces), text=True), FittedColumn("what it is for", purposes, text=True)]
    )
    if sys.stdout.isatty():
        make_console().print(table)
    else:
        print_line(table.plain(sys.maxsize).rstrip("\n"))


def draw_model(source: str) -> None:
    """The model of a file, or a trial of a search, drawn in characters."""
    from search.results.named_candidate import find_candidate
    from search.show.drawing.text import WIDTH, draw_text

    named = find_candidate(source)
    print_notes(named.notes)
    model = named.candidate.model
    print_line(draw_text(model, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)))


def show_space(source: str, overrides: Sequence[str], sample: int) -> None:
    """One space: its parameters, size, an example drawn in characters, what its limits admit."""
    from search.show.terminal.space_description import describe_space
    from search.space.load import load_space

    make_console().print(describe_space(load_space(source, overrides), sample))
