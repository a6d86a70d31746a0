"""The parts of a space's schema: documented keys, and sections whose keys follow from a configuration.

A new option of `ModelConfig` or `TrainingConfig` needs no change here: its type follows from its annotation,
its meaning from the class's docstring, its default from the class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, PlainValidator
from pydantic import Field as SchemaField
from pydantic_core import CoreSchema

from msarch.config.attribute_docs import attribute_docs
from msarch.errors import UserError, quoted
from search.space.values.range_parser import parse_domain
from search.space.values.ranges import Domain, Range, Values, label
from search.space.values.value_types import ValueType, text, value_type_of

Word = Annotated[str, PlainValidator(text)]
"""A word of the user's own, such as the name of a column."""


class Spec(BaseModel):
    """A mapping of a space file; a key that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ParametersSpec(Spec):
    """A mapping of parameters. Its keys are made from a configuration's fields, so that no type checker knows them."""

    def given(self) -> dict[str, Domain]:
        """What each parameter may be that was written down, by key, in the order of the schema."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Values | Range)}


@dataclass(frozen=True)
class ValidatedAs:
    """Marks a field whose schema is made at run time: type checkers see the class that the schema is derived from."""

    schema: type[Spec]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(self.schema)


def key(
    meaning: str, *, value: str, example: str, default: Any = ..., default_text: str = "", varies: bool = False
) -> Any:
    """A declared key with what its documentation says: what it holds, an example, its default as people read it."""
    extra: dict[str, Any] = {"value": value, "example": example, "default_text": default_text, "varies": varies}
    return SchemaField(default, description=meaning, json_schema_extra=extra)


def constant(raw: object) -> object:
    """The value of a key that cannot vary. Raises UserError for a list, a mapping or nothing."""
    if raw is None or isinstance(raw, dict | list):
        raise UserError(f"must be a constant, got {quoted(raw)}")
    return raw


def varying(value_type: ValueType) -> Any:
    """The annotation of a key that takes a constant, ``{values: [...]}`` or a range."""
    return Annotated[Domain | None, PlainValidator(partial(parse_domain, value_type=value_type))]


def config_fields(
    config: type,
    names: list[str],
    *,
    examples: Mapping[str, str],
    default_texts: Mapping[str, str] = MappingProxyType({}),
    constants: Collection[str] = (),
) -> dict[str, Any]:
    """Schema fields for fields of a configuration, as `pydantic.create_model` takes them; all may be left out.

    `examples` and `default_texts` are what documentation shows where the class does not say it well;
    `constants` names the fields that must not vary.
    """
    hints, meanings = get_type_hints(config), attribute_docs(config)
    by_name = {item.name: item for item in fields(config)}
    declared = {}
    for name in names:
        value_type = value_type_of(name, hints[name])
        info = key(
            _capital(meanings.get(name, "")),
            value=value_type.name,
            example=examples.get(name, "") or f"{name}: {_example(by_name[name], value_type)}",
            default=None,
            default_text=default_texts.get(name, "") or _default(by_name[name]),
            varies=name not in constants,
        )
        declared[name] = (varying(value_type), info)
    return declared


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


def _example(item: Field[Any], value_type: ValueType) -> str:
    if value_type.choices:
        choices = ", ".join(value_type.choices)
        return f"{{values: [{choices}]}}" if len(value_type.choices) > 1 else choices
    default = default_of(item)
    return str(label(default)) if default not in (MISSING, ()) else value_type.name
