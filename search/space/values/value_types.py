"""What a single value may be: a whole number, a number, one of some words, a list of numbers.

A value's type is derived from the annotation of a configuration's field, so that a new option of a model or of
training is understood here without a change.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from msarch.errors import UserError, quoted, unknown
from msarch.units import parse_count

LARGEST = 10**15
"""Optuna stores whole numbers as floats: beyond 2**53 they would change on the way."""


@dataclass(frozen=True, slots=True)
class ValueType:
    """One type of value.

    Attributes:
        name: as a reader of the documentation sees it, such as "whole number".
        parse: a value from what YAML says. Raises UserError.
        numeric: whether a range ``{min, max}`` makes sense.
        whole: whether its numbers are whole.
        listed: whether one value is itself a list.
        choices: the legal words, where there are only so many.
    """

    name: str
    parse: Callable[[object], Any]
    numeric: bool = False
    whole: bool = False
    listed: bool = False
    choices: tuple[str, ...] = ()


def whole(value: object) -> int:
    """A whole number; units such as 2M are understood. Raises UserError."""
    if value is None or isinstance(value, bool | list | dict | tuple) or _is_fraction(value):
        raise UserError(f"must be a whole number, got {quoted(value)}")
    number = parse_count(value)
    if number > LARGEST:
        raise UserError(f"{quoted(value)} is too large; the largest is 1e15")
    return number


def _is_fraction(value: object) -> bool:
    if not isinstance(value, float | str):
        return False
    try:
        parsed = float(value)
    except ValueError:  # a word, or a number with a unit such as 2.5M
        return False
    return math.isfinite(parsed) and not parsed.is_integer()


def number(value: object) -> float:
    """A finite number. Raises UserError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise UserError(f"must be a number, such as 0.1 or 1e-3, got {quoted(value)}")
    if abs(value) > LARGEST:
        side = "large; the largest is 1e15" if value > 0 else "small; the smallest is -1e15"
        raise UserError(f"{quoted(value)} is too {side}")
    return float(value)


def flag(value: object) -> bool:
    """true or false. Raises UserError."""
    if not isinstance(value, bool):
        raise UserError(f"must be true or false, got {quoted(value)}")
    return value


def text(value: object) -> str:
    """A word or a sentence that is not empty. Raises UserError."""
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"must be a word, got {quoted(value)}")
    return value


WHOLE = ValueType("whole number", whole, numeric=True, whole=True)
NUMBER = ValueType("number", number, numeric=True)
FLAG = ValueType("true or false", flag)
TEXT = ValueType("word", text)


def one_of(what: str, choices: tuple[str, ...]) -> ValueType:
    """One of some words."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise UserError(unknown(what, value if isinstance(value, str) else quoted(value), choices))
        return value

    return ValueType(f"one of {', '.join(choices)}", parse, choices=choices)


def list_of(item: ValueType, length: int | None) -> ValueType:
    """A list of numbers, written ``[1, 4, 16]`` or ``"1 4 16"``."""

    def parse(value: object) -> tuple[Any, ...]:
        items = [_number_in(word) for word in value.split()] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not items or (length is not None and len(items) != length):
            count = f"{length} " if length else ""
            raise UserError(f"must be a list of {count}{item.name}s, got {quoted(value)}")
        return tuple(item.parse(each) for each in items)

    return ValueType(f"list of {length or ''} {item.name}s".replace("  ", " "), parse, listed=True)


def _number_in(word: str) -> object:
    try:
        return int(word)
    except ValueError:
        try:
            return float(word)
        except ValueError:
            return word


def value_type_of(name: str, annotation: Any) -> ValueType:
    """The type of a configuration's field, from its annotation."""
    simple = {int: WHOLE, float: NUMBER, bool: FLAG, str: TEXT}
    if annotation in simple:
        return simple[annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return one_of(name, arguments)
    if get_origin(annotation) is tuple:
        length = None if arguments[-1] is Ellipsis else len(arguments)
        return list_of(value_type_of(name, arguments[0]), length)
    if get_origin(annotation) in (types.UnionType, Union) and type(None) in arguments:
        inner = value_type_of(name, next(argument for argument in arguments if argument is not type(None)))
        return ValueType(f"{inner.name}, or null", lambda value: None if value is None else inner.parse(value))
    raise AssertionError(f"no value type for {name}: {annotation}")
