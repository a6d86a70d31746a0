"""What a single value may be: a whole number, a number, one of some words, a list of numbers.

A kind is derived from the annotation of a configuration's field, so that a new option of a model or of
training is understood here without a change.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from msarch.errors import UserError, unknown
from msarch.units import parse_count

LARGEST = 10**15
"""Optuna stores whole numbers as floats: beyond 2**53 they would change on the way."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

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
    if value is None or isinstance(value, bool | list | dict | tuple):
        raise UserError(f"must be a whole number, got {shown(value)}")
    try:
        if float(value) != math.floor(float(value)):  # type: ignore[arg-type]
            raise UserError(f"must be a whole number, got {shown(value)}")
    except (ValueError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
    number = parse_count(value)
    if number > LARGEST:
        raise UserError(f"{shown(value)} is too large; the largest is 1e15")
    return number


def number(value: object) -> float:
    """A finite number. Raises UserError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise UserError(f"must be a number, such as 0.1 or 1e-3, got {shown(value)}")
    return float(value)


def flag(value: object) -> bool:
    """true or false. Raises UserError."""
    if not isinstance(value, bool):
        raise UserError(f"must be true or false, got {shown(value)}")
    return value


def text(value: object) -> str:
    """A word or a sentence that is not empty. Raises UserError."""
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"must be a word, got {shown(value)}")
    return value


def shown(value: object) -> str:
    """A value as an error shows it: short, and YAML's words for nothing, true and false."""
    words: dict[Any, str] = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, dict):
        written = "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, list | tuple):
        written = "[" + ", ".join(map(shown, value)) + "]"
    else:
        written = f"'{value}'" if isinstance(value, str) else f"{value}"
    return " ".join(written.split()) if len(written) <= 80 else " ".join(written[:76].split()) + " ..."


WHOLE = Kind("whole number", whole, numeric=True, whole=True)
NUMBER = Kind("number", number, numeric=True)
FLAG = Kind("true or false", flag)
TEXT = Kind("word", text)


def one_of(what: str, choices: tuple[str, ...]) -> Kind:
    """One of some words."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise UserError(unknown(what, value if isinstance(value, str) else shown(value), choices))
        return value

    return Kind(f"one of {', '.join(choices)}", parse, choices=choices)


def many(item: Kind, length: int | None) -> Kind:
    """A list of numbers, written ``[1, 4, 16]`` or ``"1 4 16"``."""

    def parse(value: object) -> tuple[Any, ...]:
        items = [_number_in(word) for word in value.split()] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not items or (length is not None and len(items) != length):
            count = f"{length} " if length else ""
            raise UserError(f"must be a list of {count}{item.name}s, got {shown(value)}")
        return tuple(item.parse(each) for each in items)

    return Kind(f"list of {length or ''} {item.name}s".replace("  ", " "), parse, listed=True)


def _number_in(word: str) -> object:
    try:
        return int(word)
    except ValueError:
        try:
            return float(word)
        except ValueError:
            return word


def kind_of(name: str, annotation: Any) -> Kind:
    """The kind of a configuration's field, from its annotation."""
    simple = {int: WHOLE, float: NUMBER, bool: FLAG, str: TEXT}
    if annotation in simple:
        return simple[annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return one_of(name, arguments)
    if get_origin(annotation) is tuple:
        length = None if arguments[-1] is Ellipsis else len(arguments)
        return many(kind_of(name, arguments[0]), length)
    if get_origin(annotation) in (types.UnionType, Union) and type(None) in arguments:
        inner = kind_of(name, next(argument for argument in arguments if argument is not type(None)))
        return Kind(f"{inner.name}, or null", lambda value: None if value is None else inner.parse(value))
    raise AssertionError(f"no kind for {name}: {annotation}")
