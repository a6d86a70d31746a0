"""The schema of a search space: pydantic models that validate the file and document every key of it."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import PlainValidator, ValidationError
from pydantic_core import ErrorDetails

from msarch.errors import UserError, quoted, unknown
from search.space.objectives import DEFAULT_OBJECTIVES, OBJECTIVES, parse_objectives
from search.space.schema.corpus import CorpusSpec
from search.space.schema.fields import Spec, ValidatedAs, key
from search.space.schema.limits import LIMITS_SCHEMA, LimitsSpec
from search.space.schema.model import (
    BRANCHES,
    MODEL_SCHEMA,
    TRAINING_SCHEMA,
    VARIANTS_SCHEMA,
    ModelSpec,
    TrainingSpec,
)
from search.space.schema.resources import ResourcesSpec
from search.space.schema.search import DEFAULT_STRATEGY, SearchSettings
from search.space.schema.yaml_reader import format_path
from search.space.values.constraints import Constraint, parse_constraint


def parse_constraints(raw: object) -> tuple[Constraint, ...]:
    """A list of constraints. Raises UserError with the index as its key."""
    if not isinstance(raw, list):
        raise UserError(f'must be a list such as ["n_layers <= 12"], got {quoted(raw)}')
    parsed: list[Constraint] = []
    for index, text in enumerate(raw):
        try:
            parsed.append(parse_constraint(text))
        except UserError as error:
            raise error.under(f"[{index}]") from None
    return tuple(parsed)


def parse_points(raw: object) -> tuple[dict[str, Any], ...]:
    """A list of designs, whose keys are looked at once the space is known. Raises UserError."""
    if not isinstance(raw, list):
        raise UserError(f"must be a list of designs such as [{{variant: vanilla, layers: 4@1}}], got {quoted(raw)}")
    for index, point in enumerate(raw):
        if not isinstance(point, dict) or not point:
            raise UserError(f"must be a mapping such as {{layers: 4@1}}, got {quoted(point)}", key=f"[{index}]")
    return tuple(raw)


class SpaceSpec(Spec):
    """A search space: what may vary, what is fixed, limits and budget."""

    corpus: CorpusSpec = key(
        "Which text is read.",
        value="mapping",
        example="corpus: {source: python-docs}",
        default=CorpusSpec(),
        default_text="the embedded corpus",
    )
    model: Annotated[ModelSpec, ValidatedAs(MODEL_SCHEMA)] = key(
        "The models that may be tried.", value="mapping", example="model: {context: 256, d_model: 64, ...}"
    )
    training: Annotated[TrainingSpec, ValidatedAs(TRAINING_SCHEMA)] = key(
        "How each candidate is trained.", value="mapping", example="training: {tokens: 2M, batch_size: 8}"
    )
    limits: Annotated[LimitsSpec, ValidatedAs(LIMITS_SCHEMA)] = key(
        "What no candidate may exceed.",
        value="mapping",
        example="limits: {memory: 256 MiB}",
        default=LIMITS_SCHEMA(),
        default_text="none",
    )
    objectives: Annotated[tuple[str, ...], PlainValidator(parse_objectives)] = key(
        f"What the front is made of, two or three of {', '.join(OBJECTIVES)}; all are minimised. step_time is not "
        "reproducible, and is counted from the first rung.",
        value="list of names",
        example="objectives: [perplexity, memory]",
        default=DEFAULT_OBJECTIVES,
        default_text="[perplexity, memory]",
    )
    search: SearchSettings = key(
        "How the space is searched.",
        value="mapping",
        example="search: {tokens: 60M}",
        default=SearchSettings(),
        default_text=f"the strategy `{DEFAULT_STRATEGY}`, the tokens of 40 trials",
    )
    constraints: Annotated[tuple[Constraint, ...], PlainValidator(parse_constraints)] = key(
        "Comparisons of parameters: <=, >= and == over n_layers, layers@FACTOR, ff_layers@FACTOR, width@FACTOR, "
        "d_model, n_heads, d_head, context, batch_size and vocab_size. A candidate that breaks one is infeasible.",
        value="list of comparisons",
        example='constraints: ["n_layers <= 12", "d_model * n_layers <= 1024"]',
        default=(),
        default_text="none",
    )
    points: Annotated[tuple[dict[str, Any], ...], PlainValidator(parse_points)] = key(
        "Known designs that are tried first; what a design leaves open is drawn.",
        value="list of mappings",
        example='points: [{variant: top_down, layers: "4@4 2@1", d_model: 64}]',
        default=(),
        default_text="none",
    )


def validate(data: object) -> SpaceSpec:
    """The typed space. Raises one UserError: the most telling of the mistakes, with its key."""
    try:
        return SpaceSpec.model_validate(data if data is not None else {})
    except ValidationError as error:
        raise _most_telling(error.errors()) from None


def validate_corpus(data: object) -> CorpusSpec:
    """The corpus of a space. Raises UserError with its key below ``corpus``."""
    try:
        return CorpusSpec.model_validate(data)
    except ValidationError as error:
        mistakes = [{**mistake, "loc": ("corpus", *mistake["loc"])} for mistake in error.errors()]
        raise _most_telling(cast("list[ErrorDetails]", mistakes)) from None


def _most_telling(mistakes: list[ErrorDetails]) -> UserError:
    # A misspelt key also leaves the right one missing: the misspelling says more.
    order = {"extra_forbidden": 0, "value_error": 1, "model_type": 1, "missing": 2}
    first = min(mistakes, key=lambda mistake: order[mistake["type"]])
    location = first["loc"]
    match first["type"]:
        case "extra_forbidden":
            return UserError(_unknown(location), key=format_path(location))
        case "missing":
            return UserError(f"'{location[-1]}' is missing", key=format_path(location[:-1]))
        case "model_type":
            legal = ", ".join(_spec_at(location).model_fields)
            return UserError(f"must be a mapping with {legal}, got {quoted(first['input'])}", key=format_path(location))
    cause = first["ctx"]["error"]
    assert isinstance(cause, UserError), cause
    return cause.under(format_path(location)) if location else cause


def _unknown(location: tuple[str | int, ...]) -> str:
    spec, name = _spec_at(location[:-1]), location[-1]
    if name == "vocab_size":
        return "vocab_size follows from corpus.tokenizer; leave it out"
    return unknown("variant" if spec is VARIANTS_SCHEMA else "key", name, spec.model_fields)


def _spec_at(location: tuple[str | int, ...]) -> type[Spec]:
    """The schema of the mapping at `location`."""
    known: dict[tuple[str | int, ...], type[Spec]] = {
        (): SpaceSpec,
        ("corpus",): CorpusSpec,
        ("model",): MODEL_SCHEMA,
        ("model", "variant"): VARIANTS_SCHEMA,
        ("training",): TRAINING_SCHEMA,
        ("limits",): LIMITS_SCHEMA,
        ("search",): SearchSettings,
        ("search", "resources"): ResourcesSpec,
    }
    return known[location] if location in known else BRANCHES[str(location[-1])]
