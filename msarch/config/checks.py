"""Checks that all configurations share: each field has its declared type, each number lies in its range.

Annotations are the one definition of a field's type and of its legal words.
"""

from __future__ import annotations

import math
import sys
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from msarch.errors import UserError, quoted, unknown

_ONE = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_SEVERAL = {int: "whole numbers", float: "numbers", str: "strings"}


def choices_of(config: type) -> dict[str, tuple[str, ...]]:
    """The legal words of each field that is annotated as a `Literal`, by name, in the order of the fields."""
    hints = get_type_hints(config).items()
    return {name: get_args(annotation) for name, annotation in hints if get_origin(annotation) is Literal}


def check_types(config: Any) -> None:
    """Each field of a frozen dataclass is what its annotation says; a list is taken for a tuple.

    Raises UserError with the field as its key.
    """
    kind: Any = type(config)  # mypy doubts that a class can be hashed
    for name, annotation in _hints(kind).items():
        value = getattr(config, name)
        if isinstance(value, list) and get_origin(annotation) is tuple:
            value = tuple(value)
            object.__setattr__(config, name, value)  # frozen for others; __post_init__ is still part of its making
        if get_origin(annotation) is Literal and value not in get_args(annotation):
            raise UserError(unknown(name, value, get_args(annotation)), key=name)
        if not _fits(value, annotation):
            raise UserError(f"must be {_in_words(annotation)}, got {quoted(value)}", key=name)


LARGEST_VOCABULARY = 2**31
"""Tokens; more than that no index of a token can name."""


def check_whole(config: object, name: str, *, low: int, high: int | None = None) -> None:
    """A whole number of at least `low`, and at most `high` where it is given. Raises UserError."""
    value = getattr(config, name)
    if value < low:
        raise UserError(f"must be a whole number of at least {low}, got {quoted(value)}", key=name)
    if high is not None and value > high:
        raise UserError(f"must be at most {high:,}, got {quoted(value)}", key=name)


def check_number(config: object, name: str, *, low: float, high: float = math.inf) -> None:
    """A number from `low` to `high`, both included. Raises UserError."""
    value = getattr(config, name)
    if not low <= value <= high:
        legal = f"of at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
        raise UserError(f"must be a number {legal}, got {value}", key=name)


@cache  # resolving annotations takes longer than everything else that a configuration checks
def _hints(config: type) -> dict[str, Any]:
    return get_type_hints(config)


def _fits(value: Any, annotation: Any) -> bool:
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return value in arguments
    if get_origin(annotation) in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if get_origin(annotation) is tuple:
        sized = isinstance(value, tuple) and (arguments[-1] is Ellipsis or len(value) == len(arguments))
        return sized and all(_fits(item, arguments[0]) for item in value)
    if annotation is float:  # a whole number is a number too; neither NaN nor infinity is one here
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and abs(value) <= sys.float_info.max
    if annotation is int:  # Python counts True and False as whole numbers
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _in_words(annotation: Any) -> str:
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a list of {count}{_SEVERAL[arguments[0]]}"
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_in_words(argument) for argument in arguments)
    if annotation is type(None):
        return "nothing"
    return _ONE.get(annotation) or f"a {annotation.__name__}"
