"""Notes on how far results can be relied on, as every command shows them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


def print_notes(notes: Iterable[str]) -> None:
    """Each note once, a line on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for note in dict.fromkeys(notes):
        console.print(Text(f"note: {note}"))
