"""Reads a parameter as it is written: a constant, ``{values: [...]}`` or ``{min, max, log, step}``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msarch.errors import UserError, quoted, unknown
from search.space.values.ranges import Domain, Range, Values
from search.space.values.value_types import ValueType

RANGE_KEYS = ("min", "max", "log", "step")


def parse_domain(raw: object, value_type: ValueType) -> Domain:
    """A constant, ``{values: [...]}`` or ``{min, max, log, step}``. Raises UserError with the key below."""
    if isinstance(raw, dict):
        if "values" in raw:
            return _parse_values(raw, value_type)
        return _parse_range(raw, value_type)
    if value_type.listed and isinstance(raw, list) and any(isinstance(item, str | list) for item in raw):
        return Values(_distinct(raw, value_type, ""), "")
    if isinstance(raw, list) and not value_type.listed:
        raise UserError(f"got the list {quoted(raw)}; for one of several values write {{values: {quoted(raw)}}}")
    return Values((value_type.parse(raw),))


def _parse_values(raw: dict[str, Any], value_type: ValueType) -> Values:
    for key in raw:
        if key != "values":
            raise UserError(unknown("key", key, ["values"]), key=key)
    if not isinstance(raw["values"], list) or not raw["values"]:
        raise UserError(f"must be a list of one or more, got {quoted(raw['values'])}", key="values")
    return Values(_distinct(raw["values"], value_type, "values"), ".values")


def _distinct(items: list[Any], value_type: ValueType, key: str) -> tuple[Any, ...]:
    values: list[Any] = []
    for index, item in enumerate(items):
        place = f"{key}[{index}]"
        try:
            value = value_type.parse(item)
        except UserError as error:
            raise error.under(place) from None
        if value in values:
            raise UserError(f"{quoted(item)} is given twice", key=place)
        values.append(value)
    return tuple(values)


def _parse_range(raw: dict[str, Any], value_type: ValueType) -> Range:
    legal = RANGE_KEYS if value_type.numeric else ("values",)
    for key in raw:
        if key not in legal:
            raise UserError(unknown("key", key, {"values", *legal}), key=key)
    for key in legal[:2]:
        if key not in raw:
            raise UserError(f"'{key}' is missing; write a constant, {{values: [...]}} or {{min: ..., max: ...}}")
    low, high = _end(raw, "min", value_type), _end(raw, "max", value_type)
    if low > high:
        raise UserError(f"min {low:g} is above max {high:g}")
    log = raw.get("log", False)
    if not isinstance(log, bool):
        raise UserError(f"must be true or false, got {quoted(log)}", key="log")
    if log and low <= 0:
        raise UserError(f"a logarithmic range starts above 0, got {low:g}", key="min")
    if log and "step" in raw:
        raise UserError("a logarithmic range has no step; leave one of the two out", key="step")
    return Range(low, high, _step(raw, low, high, value_type), log)


def _end(raw: dict[str, Any], key: str, value_type: ValueType) -> Any:
    try:
        return value_type.parse(raw[key])
    except UserError as error:
        raise error.under(key) from None


def _step(raw: dict[str, Any], low: Any, high: Any, value_type: ValueType) -> Any:
    if "step" not in raw:
        return 1 if value_type.whole else None
    step = _end(raw, "step", value_type)
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
