"""One model as a user writes it: the ``config.yaml`` of a trial, or only its model.

Three forms are read: a whole candidate, as ``results/NAME/trials/0007/config.yaml``; a mapping with ``model`` and
perhaps ``training`` and ``corpus``; the keys of a model alone, ``{variant: vanilla, layers: 4@1, d_model: 96, ...}``.
A corpus is written as in a record, or as in a space: ``{train: "books/*.txt", tokenizer: {bpe: 2048}}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_type_hints

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import ABSENT_MEANS, Candidate, completed
from msarch.errors import UserError
from search.space.files import read_file
from search.space.overrides import apply_override
from search.space.schema.space import validate_corpus
from search.space.schema.yaml_reader import Document, parse_path, read_yaml
from search.space.values.value_types import value_type_of

BATCH_SIZE = 8
"""Sequences in a step, if the file does not set it."""
DEFAULTS = {item.name: item.default for item in fields(ModelConfig) if item.name in ABSENT_MEANS["model"]}
"""Of fields whose absence means something else in a record."""


def read_config(path: Path, overrides: Sequence[str] = ()) -> Candidate:
    """The candidate that `path` describes, after `overrides` such as ``training.tokens=1M``.

    Raises UserError with the file, its line and the key.
    """
    document = read_yaml(read_file(path), str(path))
    if not isinstance(document.data, dict):
        raise UserError("must describe a model: variant, layers, d_model, n_heads, vocab_size, context", file=str(path))
    bare = "model" not in document.data
    if bare:
        document.data = {"model": document.data}
    for override in overrides:
        apply_override(document, override)
    try:
        return _candidate(document.data)
    except UserError as error:
        raise document.place(_without_model(error, document) if bare else error) from None


def with_overrides(candidate: Candidate, overrides: Sequence[str]) -> Candidate:
    """A recorded candidate with other settings. Raises UserError naming the ``--set``."""
    document = Document(candidate.to_dict(), "")
    for override in overrides:
        apply_override(document, override)
    try:
        return _candidate(document.data)
    except UserError as error:
        raise document.place(error) from None


def _candidate(values: dict[str, Any]) -> Candidate:
    model = values["model"]
    if isinstance(model, dict) and isinstance(model.get("variant"), dict):
        raise UserError("belongs to a search space; name one variant here", key="model.variant")
    training = values.get("training", {})
    if isinstance(training, dict):
        training = {"batch_size": BATCH_SIZE, **training}
    # Only a record, which has all, was written at a time when other defaults may have held.
    defaults = {} if "seed" in values else DEFAULTS
    return Candidate.from_dict(
        {
            **values,
            "model": completed(_parsed(ModelConfig, model, "model"), defaults),
            "training": _parsed(TrainingConfig, training, "training"),
            "corpus": _corpus(values.get("corpus", {})),
        }
    )


def _corpus(values: Any) -> Any:
    """A corpus as it is recorded; one that is written as in a space is translated."""
    if not isinstance(values, dict):
        return values
    tokenizer = values.get("tokenizer")
    recorded = "name" in values or values.get("source") in ("files", "huggingface")
    if recorded or (isinstance(tokenizer, dict) and "kind" in tokenizer):
        return values
    return asdict(validate_corpus(values).config_for())


def _parsed(config: type, values: Any, key: str) -> Any:
    """Lists and numbers in all the forms that a space knows; unknown keys are refused later."""
    if not isinstance(values, dict):
        return values
    hints = get_type_hints(config)
    parsed = dict(values)
    for name in {item.name for item in fields(config)} & values.keys():
        if values[name] == []:  # how a record writes an option that is not used
            continue
        try:
            parsed[name] = value_type_of(name, hints[name]).parse(values[name])
        except UserError as error:
            raise error.under(name).under(key) from None
    return parsed


def _without_model(error: UserError, document: Document) -> UserError:
    """The key as it stands in a file of a model alone, unless an override, which names the model, has set it."""
    path = parse_path(error.key)
    if any(path[: len(override)] == override for override in document.replaced):
        return error
    return UserError(error.message, key=error.key.removeprefix("model").removeprefix("."))
