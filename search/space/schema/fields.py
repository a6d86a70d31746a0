"""Turns the fields of a configuration into fields of the schema that validates a space.

A new option of `ModelConfig` or `TrainingConfig` needs no change here: its kind follows from its annotation,
its meaning from the class's docstring, its default from the class.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, PlainValidator
from pydantic import Field as SchemaField

from search.space.values.range_parser import parse_parameter
from search.space.values.ranges import label
from search.space.values.value_types import Kind, kind_of


class Spec(BaseModel):
    """A mapping of a space file; a key that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def leaf(parse: Callable[[Any], Any]) -> Any:
    """The type of a key that `parse` reads; `parse` raises UserError."""
    return Annotated[Any, PlainValidator(parse)]


def key(meaning: str, *, kind: str, example: str, default: Any = ..., shown: str = "", varies: bool = False) -> Any:
    """A declared key with what its documentation says: kind of value, example, default as people read it."""
    extra: dict[str, Any] = {"kind": kind, "example": example, "shown": shown, "varies": varies}
    return SchemaField(default, description=meaning, json_schema_extra=extra)


def varying(kind: Kind) -> Any:
    """The type of a key that takes a constant, ``{values: [...]}`` or a range."""
    return leaf(lambda raw: parse_parameter(raw, kind))


def config_fields(
    config: type,
    names: list[str],
    *,
    examples: Mapping[str, str],
    shown: Mapping[str, str] = MappingProxyType({}),
    constant: Collection[str] = (),
) -> dict[str, Any]:
    """Schema fields for fields of a configuration, as `pydantic.create_model` takes them; all may be left out.

    `examples` and `shown` (defaults) say what documentation shows where the class does not say it well;
    `constant` names the fields that must not vary.
    """
    hints, meanings = get_type_hints(config), attribute_docs(config)
    by_name = {item.name: item for item in fields(config)}
    declared = {}
    for name in names:
        kind = kind_of(name, hints[name])
        info = key(
            _capital(meanings.get(name, "")),
            kind=kind.name,
            example=examples.get(name, "") or f"{name}: {_example(by_name[name], kind)}",
            default=None,
            shown=shown.get(name, "") or _default(by_name[name]),
            varies=name not in constant,
        )
        declared[name] = (varying(kind), info)
    return declared


def attribute_docs(config: type) -> dict[str, str]:
    """What the ``Attributes:`` part of a class's docstring says of each field, on one line."""
    _, _, body = inspect.cleandoc(config.__doc__ or "").partition("Attributes:")
    meanings = {}
    for entry in re.split(r"\n {4}(?=\w)", body):
        names, _, meaning = entry.strip().partition(":")
        for name in names.split(","):
            meanings[name.strip()] = " ".join(meaning.split())
    return meanings


def default_of(item: Field[Any]) -> Any:
    """A configuration field's default, or MISSING."""
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _default(item: Field[Any]) -> str:
    default = default_of(item)
    if default is MISSING:
        return "required"
    return str(label(default)) if default != () else "required by its variant"


def _example(item: Field[Any], kind: Kind) -> str:
    if kind.choices:
        return f"{{values: [{', '.join(kind.choices)}]}}" if len(kind.choices) > 1 else kind.choices[0]
    default = default_of(item)
    return str(label(default)) if default not in (MISSING, ()) else kind.name
