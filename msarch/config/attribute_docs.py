"""What a configuration's docstring says of each of its fields: the one place where options are explained.

docs/space.md, the columns of the tables and the options of the command line take their words from here.
"""

from __future__ import annotations

import inspect
import re


def attribute_docs(config: type) -> dict[str, str]:
    """What the ``Attributes:`` part of a class's docstring says of each field, on one line."""
    _, _, body = inspect.cleandoc(config.__doc__ or "").partition("Attributes:")
    meanings = {}
    for entry in re.split(r"\n {4}(?=\w)", body):  # an entry starts at four blanks, its other lines at eight
        names, _, meaning = entry.strip().partition(":")
        for name in names.split(","):
            meanings[name.strip()] = " ".join(meaning.split())
    return meanings
