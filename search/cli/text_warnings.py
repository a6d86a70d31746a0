"""Warnings about the text of a corpus as the command line shows them: one line each, without Python's own frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from msarch.errors import TextWarning


@contextmanager
def text_warnings_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Inside, `tell` gets each `TextWarning` as one line, the same one once; other warnings show as they would."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", TextWarning)
        show_other = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, TextWarning):
                tell(f"warning: {' '.join(str(message).split())}")
            else:
                show_other(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield
