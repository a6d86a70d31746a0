"""Reads a parameter as it is written: a constant, ``{values: [...]}`` or ``{min, max, log, step}``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msarch.errors import UserError, unknown
from search.space.values.ranges import Parameter, Range, Values
from search.space.values.value_types import Kind, shown

RANGE_KEYS = ("min", "max", "log", "step")


def parse_parameter(raw: object, kind: Kind) -> Parameter:
    """A constant, ``{values: [...]}`` or ``{min, max, log, step}``. Raises UserError with the key below."""
    if isinstance(raw, dict):
        if "values" in raw:
            return _parse_values(raw, kind)
        return _parse_range(raw, kind)
    if kind.listed and isinstance(raw, list) and any(isinstance(item, str | list) for item in raw):
        return Values(_distinct(raw, kind, ""), "")
    if isinstance(raw, list) and not kind.listed:
        raise UserError(f"got the list {shown(raw)}; for one of several values write {{values: {shown(raw)}}}")
    return Values((kind.parse(raw),))


def _parse_values(raw: dict[str, Any], kind: Kind) -> Values:
    for key in raw:
        if key != "values":
            raise UserError(unknown("key", key, ["values"]), key=key)
    if not isinstance(raw["values"], list) or not raw["values"]:
        raise UserError(f"must be a list of one or more, got {shown(raw['values'])}", key="values")
    return Values(_distinct(raw["values"], kind, "values"), ".values")


def _distinct(items: list[Any], kind: Kind, key: str) -> tuple[Any, ...]:
    values: list[Any] = []
    for index, item in enumerate(items):
        place = f"{key}[{index}]"
        try:
            value = kind.parse(item)
        except UserError as error:
            raise error.under(place) from None
        if value in values:
            raise UserError(f"{shown(item)} stands twice", key=place)
        values.append(value)
    return tuple(values)


def _parse_range(raw: dict[str, Any], kind: Kind) -> Range:
    legal = RANGE_KEYS if kind.numeric else ("values",)
    for key in raw:
        if key not in legal:
            raise UserError(unknown("key", key, {"values", *legal}), key=key)
    for key in legal[:2]:
        if key not in raw:
            raise UserError(f"'{key}' is missing; write a constant, {{values: [...]}} or {{min: ..., max: ...}}")
    low, high = _end(raw, "min", kind), _end(raw, "max", kind)
    if low > high:
        raise UserError(f"min {low:g} is above max {high:g}")
    log = raw.get("log", False)
    if not isinstance(log, bool):
        raise UserError(f"must be true or false, got {shown(log)}", key="log")
    if log and low <= 0:
        raise UserError(f"a logarithmic range starts above 0, got {low:g}", key="min")
    if log and "step" in raw:
        raise UserError("a logarithmic range has no step; leave one of the two out", key="step")
    return Range(low, high, _step(raw, low, high, kind), log)


def _end(raw: dict[str, Any], key: str, kind: Kind) -> Any:
    try:
        return kind.parse(raw[key])
    except UserError as error:
        raise error.under(key) from None


def _step(raw: dict[str, Any], low: Any, high: Any, kind: Kind) -> Any:
    if "step" not in raw:
        return 1 if kind.whole else None
    step = _end(raw, "step", kind)
    if step <= 0:
        raise UserError(f"must be above 0, got {step:g}", key="step")
    count, rest = divmod(Decimal(str(high)) - Decimal(str(low)), Decimal(str(step)))
    if rest:
        below = Decimal(str(low)) + count * Decimal(str(step))
        raise UserError(
            f"steps of {step:g} from {low:g} do not meet max {high:g}; the nearest are {below} and "
            f"{below + Decimal(str(step))}",
            key="step",
        )
    return step
