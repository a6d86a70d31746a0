"""Notes on how far results can be relied on, as every command shows them."""

from __future__ import annotations

from collections.abc import Iterable

from search.show.terminal.console import print_line


def print_notes(notes: Iterable[str]) -> None:
    """Each note once, a line on standard error."""
    for note in dict.fromkeys(notes):
        print_line(f"note: {' '.join(note.split())}", error=True)
