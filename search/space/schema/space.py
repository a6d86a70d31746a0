"""The schema of a search space: pydantic models that validate the file and document every key of it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from msarch.errors import UserError, unknown
from msarch.units import parse_seconds
from search.space.objectives import DEFAULT_OBJECTIVES, LIMITS, OBJECTIVES, parse_objectives
from search.space.schema.corpus import CorpusSpec
from search.space.schema.fields import Spec, key, leaf
from search.space.schema.model import BRANCHES, ModelSpec, TrainingSpec, VariantSpec
from search.space.schema.yaml_reader import format_path
from search.space.values.constraints import Constraint, parse_constraint
from search.space.values.value_types import WHOLE, one_of, shown

SAMPLERS = ("tpe", "nsga2", "random", "grid")
PRUNERS = ("pareto", "median", "successive-halving", "hyperband", "none")


def _constant(raw: object) -> object:
    if raw is None or isinstance(raw, dict | list):
        raise UserError(f"must be a constant, got {shown(raw)}")
    return raw


def _limit(name: str) -> Any:
    def parse(raw: object) -> int:
        bound = LIMITS[name].parse(_constant(raw))
        if not 0 < bound < 2**60:
            raise UserError(f"must be above 0 and below 2**60, got {shown(raw)}")
        return bound

    return leaf(parse)


def _at_least(low: int) -> Any:
    def parse(raw: object) -> int:
        value: int = WHOLE.parse(raw)
        if value < low:
            raise UserError(f"must be a whole number of at least {low}, got {shown(raw)}")
        return value

    return leaf(parse)


def _parse_time(raw: object) -> int:
    seconds = parse_seconds(_constant(raw))
    if seconds < 1:
        raise UserError(f"must be above 0, got {shown(raw)}")
    return seconds


def _parse_constraints(raw: object) -> tuple[Constraint, ...]:
    if not isinstance(raw, list):
        raise UserError(f'must be a list such as ["n_layers <= 12"], got {shown(raw)}')
    parsed: list[Constraint] = []
    for index, text in enumerate(raw):
        try:
            parsed.append(parse_constraint(text))
        except UserError as error:
            raise error.under(f"[{index}]") from None
    return tuple(parsed)


def _parse_points(raw: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(raw, list):
        raise UserError(f"must be a list of designs such as [{{variant: vanilla, layers: 4@1}}], got {shown(raw)}")
    for index, point in enumerate(raw):
        if not isinstance(point, dict) or not point:
            raise UserError(f"must be a mapping such as {{layers: 4@1}}, got {shown(point)}", key=f"[{index}]")
    return tuple(raw)


class LimitsSpec(Spec):
    """What no candidate may exceed. A candidate above a limit is infeasible: it costs no training, and teaches the
    sampler.
    """

    memory: _limit("memory") = key(  # type: ignore[valid-type]
        LIMITS["memory"].meaning.capitalize() + ".", kind="size", example="memory: 256 MiB", default=None, shown="none"
    )
    memory_unfused: _limit("memory_unfused") = key(  # type: ignore[valid-type]
        LIMITS["memory_unfused"].meaning.capitalize() + ".",
        kind="size", example="memory_unfused: 1 GiB", default=None, shown="none",
    )  # fmt: skip
    parameters: _limit("parameters") = key(  # type: ignore[valid-type]
        LIMITS["parameters"].meaning.capitalize() + ".",
        kind="count", example="parameters: 5M", default=None, shown="none",
    )  # fmt: skip
    cache: _limit("cache") = key(  # type: ignore[valid-type]
        LIMITS["cache"].meaning.capitalize() + ".", kind="size", example="cache: 2 MiB", default=None, shown="none"
    )
    flops_per_token: _limit("flops_per_token") = key(  # type: ignore[valid-type]
        LIMITS["flops_per_token"].meaning.capitalize() + ".",
        kind="count", example="flops_per_token: 20M", default=None, shown="none",
    )  # fmt: skip


class SearchSettings(Spec):
    """How the space is searched."""

    sampler: leaf(one_of("sampler", SAMPLERS).parse) = key(  # type: ignore[valid-type]
        "Who proposes candidates: a model of what worked (tpe), evolution (nsga2), chance (random), all (grid).",
        kind=one_of("", SAMPLERS).name, example="sampler: tpe", default="tpe", shown="tpe",
    )  # fmt: skip
    pruner: leaf(one_of("pruner", PRUNERS).parse) = key(  # type: ignore[valid-type]
        "Who stops a trial early. `pareto` stops one only where trials that cost no more were clearly better; the "
        "others look at the loss alone, and so delete the small-memory end of a front.",
        kind=one_of("", PRUNERS).name, example="pruner: pareto", default="pareto", shown="pareto",
    )  # fmt: skip
    trials: _at_least(1) = key(  # type: ignore[valid-type]
        "How many candidates are trained in all; infeasible ones and duplicates do not count.",
        kind="whole number", example="trials: 40", default=40, shown="40",
    )  # fmt: skip
    seed: _at_least(0) = key(  # type: ignore[valid-type]
        "Seeds the sampler, the weights and the order of the data.",
        kind="whole number", example="seed: 0", default=0, shown="0",
    )  # fmt: skip
    startup: _at_least(1) = key(  # type: ignore[valid-type]
        "How many candidates are drawn at random before tpe learns from them.",
        kind="whole number", example="startup: 10", default=10, shown="10",
    )  # fmt: skip
    concurrent: _at_least(1) = key(  # type: ignore[valid-type]
        "How many trials run at a time.",
        kind="whole number", example="concurrent: 2", default=None, shown="one a core, or one a GPU",
    )  # fmt: skip
    time_budget: leaf(_parse_time) = key(  # type: ignore[valid-type]
        "When to stop proposing, whatever is left of `trials`.",
        kind="duration", example="time_budget: 2h", default=None, shown="none",
    )  # fmt: skip


class SpaceSpec(Spec):
    """A search space: what may vary, what is fixed, limits and budget."""

    corpus: CorpusSpec = key(
        "Which text is read.", kind="mapping", example="corpus: {source: python-docs}", default=CorpusSpec(),
        shown="the embedded corpus",
    )  # fmt: skip
    model: ModelSpec = key(  # type: ignore[valid-type]
        "The models that may be tried.", kind="mapping", example="model: {context: 256, d_model: 64, ...}"
    )
    training: TrainingSpec = key(  # type: ignore[valid-type]
        "How each candidate is trained.", kind="mapping", example="training: {tokens: 2M, batch_size: 8}"
    )
    limits: LimitsSpec = key(
        "What no candidate may exceed.", kind="mapping", example="limits: {memory: 256 MiB}", default=LimitsSpec(),
        shown="none",
    )  # fmt: skip
    objectives: leaf(parse_objectives) = key(  # type: ignore[valid-type]
        f"What the front is made of, two or three of {', '.join(OBJECTIVES)}; all are minimised. step_time is not "
        "reproducible, and is counted from the first rung.",
        kind="list of names", example="objectives: [perplexity, memory]", default=DEFAULT_OBJECTIVES,
        shown="[perplexity, memory]",
    )  # fmt: skip
    search: SearchSettings = key(
        "How the space is searched.", kind="mapping", example="search: {sampler: tpe, trials: 40}",
        default=SearchSettings(), shown="tpe, pareto, 40 trials",
    )  # fmt: skip
    constraints: leaf(_parse_constraints) = key(  # type: ignore[valid-type]
        "Conditions between parameters: <=, >= and == over n_layers, layers@FACTOR, d_model, n_heads, d_head, context, "
        "batch_size and vocab_size. A candidate that breaks one is infeasible.",
        kind="list of conditions", example='constraints: ["n_layers <= 12", "d_model * n_layers <= 1024"]', default=(),
        shown="none",
    )  # fmt: skip
    points: leaf(_parse_points) = key(  # type: ignore[valid-type]
        "Known designs that are tried first; what a design leaves open is drawn.",
        kind="list of mappings", example='points: [{variant: top_down, layers: "4@4 2@1", d_model: 64}]', default=(),
        shown="none",
    )  # fmt: skip


def validate(data: object) -> SpaceSpec:
    """The typed space. Raises one UserError: the most telling of the mistakes, with its key."""
    try:
        return SpaceSpec.model_validate(data if data is not None else {})
    except ValidationError as error:
        raise _most_telling(error.errors()) from None


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
            return UserError(f"must be a mapping with {legal}, got {shown(first['input'])}", key=format_path(location))
    cause = first["ctx"]["error"]
    assert isinstance(cause, UserError), cause
    return cause.under(format_path(location)) if location else cause


def _unknown(location: tuple[str | int, ...]) -> str:
    spec, name = _spec_at(location[:-1]), location[-1]
    if name == "vocab_size":
        return "vocab_size follows from corpus.tokenizer; leave it out"
    return unknown("variant" if spec is VariantSpec else "key", name, spec.model_fields)


def _spec_at(location: tuple[str | int, ...]) -> type[Spec]:
    """The schema of the mapping at `location`."""
    known: dict[tuple[str | int, ...], type[Spec]] = {
        (): SpaceSpec,
        ("corpus",): CorpusSpec,
        ("model",): ModelSpec,
        ("model", "variant"): VariantSpec,
        ("training",): TrainingSpec,
        ("limits",): LimitsSpec,
        ("search",): SearchSettings,
    }
    return known[location] if location in known else BRANCHES[str(location[-1])]
