"""A candidate: one fully resolved configuration that can be hashed, written down and run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from msarch.config import NEEDS, ModelConfig, TrainingConfig
from msarch.config.checks import check_types, check_whole
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError, quoted, unknown

Config = TypeVar("Config", ModelConfig, TrainingConfig, CorpusConfig, TokenizerConfig)

ABSENT_MEANS: dict[str, dict[str, Any]] = {
    "model": {"embedding_init": "gpt2", "rotary_pairs": "halves"},
    "training": {},
}
"""What a record means that lacks a field: how all models were before the field was there.

Every field that came after version 0.1 is here. Defaults may change, this never does: so candidates recorded by any
earlier version are the same candidates, and their digests stay, because a field that says what its absence would is
left out of them.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One point of a search: everything that is needed to run it, or to run it again."""

    model: ModelConfig
    training: TrainingConfig
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "seed", low=0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON and YAML values; `from_dict` is its inverse."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, values: object) -> Candidate:
        """The candidate written by `to_dict`, by this version or an earlier one. Raises UserError with the key's path.

        A field that came later means what its absence meant then (`ABSENT_MEANS`), not today's default.
        """
        top = _mapping(values, {"model", "training", "corpus", "seed"}, required={"model", "training"})
        corpus = dict(_mapping(top.get("corpus", {}), {item.name for item in fields(CorpusConfig)}, key="corpus"))
        if "tokenizer" in corpus:
            corpus["tokenizer"] = _build(TokenizerConfig, corpus["tokenizer"], "corpus.tokenizer")
        return cls(
            model=_build(ModelConfig, completed(top["model"], ABSENT_MEANS["model"]), "model"),
            training=_build(TrainingConfig, completed(top["training"], ABSENT_MEANS["training"]), "training"),
            corpus=_build(CorpusConfig, corpus, "corpus"),
            seed=top.get("seed", 0),
        )

    def portable(self) -> Candidate:
        """The form that is recorded: free of absolute paths."""
        return replace(self, corpus=self.corpus.portable())

    def digest(self) -> str:
        """A hash that is the same for the same candidate anywhere, 16 hexadecimal digits."""
        values = self.portable().to_dict()
        for part, absent in ABSENT_MEANS.items():
            for name in absent:
                if values[part][name] == absent[name] or not _is_read(values[part], name):
                    del values[part][name]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]
    return value


def completed(values: Any, absent: Mapping[str, Any]) -> Any:
    """A part of a record with what the absence of later fields means; a field that is not read keeps its default."""
    if not isinstance(values, dict):
        return values
    return {**{name: value for name, value in absent.items() if _is_read(values, name)}, **values}


def _is_read(values: Mapping[str, Any], name: str) -> bool:
    other, value = NEEDS.get(name, ("", None))
    return values.get(other) == value


def _build(config: type[Config], values: object, key: str) -> Config:
    known = {item.name: item for item in fields(config)}
    given = _mapping(values, set(known), key=key)
    missing = [name for name in known if name not in given and _is_required(known[name])]
    if missing:
        raise UserError(f"{', '.join(missing)} missing", key=key)
    try:
        return config(**given)
    except UserError as error:
        raise error.under(key) from None


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _mapping(
    values: object, legal: Collection[str], *, key: str = "", required: Collection[str] = ()
) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise UserError(f"must be a mapping with {', '.join(sorted(legal))}, got {quoted(values)}", key=key)
    for name in values:
        if name not in legal:
            raise UserError(unknown("key", name, legal), key=f"{key}.{name}" if key else str(name))
    for name in sorted(set(required) - set(values)):
        raise UserError(f"'{name}' is missing", key=key)
    return values
