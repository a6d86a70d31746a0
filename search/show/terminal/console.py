"""The only way to the terminal: text from a stranger's file reaches it without the characters that control it.

A results folder, a corpus or a space may hold escape sequences that recolour or clear a screen, set its title, or
answer to the shell, and marks that turn the order of letters round. Each of these is shown by its number instead,
such as ``\\x1b``.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of C0 and C1, of marks of direction and width, of halves of surrogate pairs, of line ends."""
_KEPT = "\n\t"


def printable(text: str) -> str:
    """`text` with each character that a terminal would obey written as a number; line ends and tabs stay.

    >>> printable("red \\x1b[31m")
    'red \\\\x1b[31m'
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_shown(letter) if _obeyed(letter) else letter for letter in text)


def _obeyed(letter: str) -> bool:
    return letter not in _KEPT and unicodedata.category(letter) in _CONTROLS


def _shown(letter: str) -> str:
    return letter.encode("ascii", errors="backslashreplace").decode() if letter > "\x7f" else f"\\x{ord(letter):02x}"


def print_line(text: str, *, error: bool = False) -> None:
    """A line, or lines, on standard output or standard error, as wide as they are."""
    print(printable(text), file=sys.stderr if error else sys.stdout)


def print_piece(text: str) -> None:
    """A piece of a text that goes on, at once, on standard output."""
    sys.stdout.write(printable(text))
    sys.stdout.flush()


def print_with_colours(text: str) -> None:
    """Lines on standard output that hold our own colours; whatever else they hold was made `printable` before."""
    print(text)


def make_console(**options: Any) -> Console:
    """A rich console that shows what it is given as `printable` does; `options` are those of `rich.console.Console`."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            """Its own colours and cursor movements are segments' styles and controls; only their text is changed."""
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    return SafeConsole(**{"highlight": False, **options})
