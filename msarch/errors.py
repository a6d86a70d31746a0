"""The one kind of error a user can cause: what is wrong, where, and what to do about it.

Everything that a configuration, a command line or a results folder can get wrong raises `UserError`;
the command line prints it as a single line and exits with status 2. Our own invariants are asserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any


class UserError(ValueError):
    """A mistake in what a user wrote.

    Attributes:
        message: what is wrong and what is legal, one sentence.
        key: the path of the offending key, such as ``model.variant.top_down.layers[1]``, or empty.
        file: the file it stands in, or empty.
        line: its line in that file, counted from 1, or 0 where it is unknown.
    """

    def __init__(self, message: str, *, key: str = "", file: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.file = file
        self.line = line

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return shorten_words(": ".join(part for part in (place, shortened(self.key), self.message) if part))

    def __reduce__(self) -> tuple[object, ...]:  # keyword-only arguments do not pickle by themselves
        return (_rebuild, (type(self), self.message, self.key, self.file, self.line))

    def under(self, prefix: str) -> UserError:
        """The same error with its key moved under `prefix`."""
        separator = "." if self.key and not self.key.startswith("[") else ""
        return UserError(self.message, key=f"{prefix}{separator}{self.key}", file=self.file, line=self.line)

    def at(self, file: str, line: int = 0) -> UserError:
        """The same error placed in `file`; a place already known is kept."""
        return UserError(self.message, key=self.key, file=self.file or file, line=self.line or line)


class TextWarning(UserWarning):
    """Something about the text of a corpus that a user should know; one sentence, which begins with the key."""


def _rebuild(kind: type[UserError], message: str, key: str, file: str, line: int) -> UserError:
    return kind(message, key=key, file=file, line=line)


def unknown(what: str, value: object, legal: Iterable[str]) -> str:
    """A sentence for an unknown name: the nearest legal one first, then all of them.

    >>> unknown("variant", "topdown", ["vanilla", "top_down"])
    "unknown variant 'topdown', did you mean 'top_down'? Legal: top_down, vanilla"
    """
    names = sorted(legal)
    near = get_close_matches(str(value)[:LONGEST], names, n=1, cutoff=0.5)
    guess = f", did you mean {quoted(near[0])}?" if near else "."
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"unknown {what} {quoted(str(value))}{guess} Legal: {', '.join(map(shortened, names[:MOST_NAMES]))}{more}"


def quoted(value: object) -> str:
    """A value as an error quotes it: short, on one line, in YAML's words for nothing, true and false.

    >>> quoted({"a": [1, None, "b"]})
    "{a: [1, nothing, 'b']}"
    """
    words: dict[Any, str] = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, dict):
        items = islice(value.items(), LONGEST)  # more do not fit
        written = "{" + ", ".join(f"{shortened(str(key))}: {quoted(item)}" for key, item in items) + "}"
    elif isinstance(value, list | tuple):
        written = "[" + ", ".join(map(quoted, value[:LONGEST])) + "]"
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        written = "a number of thousands of digits"  # Python refuses to write it
    else:
        written = f"'{value}'" if isinstance(value, str) else f"{value}"
    return shortened(written)


def shortened(text: str) -> str:
    """`text` on one line, cut where it has more than 80 characters."""
    return " ".join((text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ...").split())


def shorten_words(text: str) -> str:
    """`text` with its middle left out of words that no path and no number comes near in length."""
    return _LONG_WORD.sub(lambda found: f"{found[0][:100]} ... {found[0][-60:]}", text)


LONGEST = 80
"""Characters of a value that an error repeats: a stranger's file must not fill the terminal."""
MOST_NAMES = 60
_MOST_BITS = 10_000
_LONG_WORD = re.compile(r"\S{400,}")
