"""Loads a space: finds its file, reads it, applies overrides, validates it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from msarch.errors import UserError, quoted
from search.space.builder import build_space
from search.space.files import find_space, is_recorded
from search.space.overrides import apply_override, leave_out_trials, refuse_unnamed_text
from search.space.schema.space import validate
from search.space.schema.yaml_reader import read_yaml
from search.space.space import Space


def load_space(source: str | Path, overrides: Sequence[str] = ()) -> Space:
    """The space in a file, or the one that ships under that name, after `overrides` such as ``search.trials=8``.

    Raises UserError: one line with the file, its line, the key's path, and what is legal.
    """
    if isinstance(overrides, str):
        raise UserError(f"must be a list of KEY=VALUE, such as [{quoted(overrides)}]", key="overrides")
    text, file = find_space(source)
    document = read_yaml(text, file)
    if is_recorded(Path(file)):
        leave_out_trials(document)
    before = document.data
    for override in overrides:
        apply_override(document, override)
    refuse_unnamed_text(before, document)
    try:
        space = build_space(validate(document.data), file)
    except UserError as error:
        raise document.place(error) from None
    return replace(space, overrides=tuple(overrides), document=document)
