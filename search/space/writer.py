"""A space as it is recorded: plain values that `load_space` reads again, and the part of them that is its identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from search.space.schema.fields import ParametersSpec
from search.space.schema.model import VariantsSpec
from search.space.schema.search import PARTS_OF_FRONT, PARTS_OF_PRUNE
from search.space.space import Space
from search.space.values.allocations import AllocationRange
from search.space.values.ranges import Values

_NOT_IDENTITY = (
    "trials",
    "tokens",
    "concurrent",
    "time_budget",
    "trial_timeout",
    "checkpoints",
    "resources",
    "keep",
)


def plain_space(space: Space) -> dict[str, Any]:
    """The space as YAML values, with a corpus free of absolute paths; what was left out stays out."""
    spec = space.spec
    sections = {
        "corpus": _corpus(space),
        "model": {**_plain(spec.model), "variant": _variants(spec.model.variant)},
        "training": _plain(spec.training),
        "limits": dict(space.limits),
        "objectives": list(space.objectives),
        "search": _search(space),
        "constraints": [constraint.text for constraint in space.constraints],
        "points": [dict(point) for point in space.points],
    }
    return {name: section for name, section in sections.items() if section}


def space_identity(space: Space) -> dict[str, Any]:
    """What decides whether two spaces are the same, as JSON values.

    It leaves out trials and other budgets, concurrency and the strategy "prune", which a sampler and a pruner say. It
    holds the corpus by name and content.
    """
    plain = plain_space(space)
    plain["search"] = {key: value for key, value in plain["search"].items() if key not in _NOT_IDENTITY}
    if plain["search"]["strategy"] == "prune":  # the only one there was when the first searches were recorded
        del plain["search"]["strategy"]
    return plain


def space_yaml(space: Space) -> str:
    """The space as `load_space` reads it again, without absolute paths."""
    return yaml.safe_dump(plain_space(space), sort_keys=False, allow_unicode=True, width=120)


def can_be_continued(space: Space) -> bool:
    """Whether a trial may have a schedule with which it can be trained on."""
    schedule = space.training["schedule"].domain if "schedule" in space.training else None
    return isinstance(schedule, Values) and "wsd" in schedule.values


def _search(space: Space) -> dict[str, Any]:
    """The settings without those that have no effect."""
    settings = space.spec.search
    unread = {"trials"} if settings.tokens is not None else set()
    unread |= set(PARTS_OF_PRUNE if settings.strategy == "front" else PARTS_OF_FRONT)
    unread |= set() if can_be_continued(space) and "keep" in settings.model_fields_set else {"keep"}
    unread |= set() if settings.resources.model_dump(exclude_none=True) else {"resources"}
    return settings.model_dump(exclude_none=True, exclude=unread)


def _plain(spec: ParametersSpec) -> dict[str, Any]:
    return {name: domain.plain() for name, domain in spec.given().items()}


def _variants(variants: VariantsSpec) -> dict[str, Any]:
    return {name: {"layers": _layers(branch.layers), **_plain(branch)} for name, branch in variants.given().items()}


def _layers(alternatives: Sequence[AllocationRange]) -> list[str] | str:
    written = [str(allocation) for allocation in alternatives]
    return written if len(written) > 1 else written[0]


def _corpus(space: Space) -> dict[str, Any]:
    corpus = space.named_corpus.portable()
    named: dict[str, Any] = {"huggingface": corpus.name, "config": corpus.config}
    if corpus.source == "python-docs":
        named = {"source": corpus.source}
    patterns = {key: list(getattr(corpus, key)) for key in ("train", "validation", "test")}
    column = {"column": corpus.column} if corpus.column != "text" else {}
    kept = {key: value for key, value in {**named, **patterns, "content": corpus.content}.items() if value}
    return {**kept, **column, "tokenizer": _tokenizer(space, corpus.tokenizer.file)}


def _tokenizer(space: Space, file: str) -> Any:
    kind = space.corpus.tokenizer.kind
    if kind == "bytes":
        return "bytes"
    return {"file": file} if kind == "file" else {"bpe": space.vocabulary.domain.plain()}
