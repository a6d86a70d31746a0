"""One model as a user writes it: the ``config.yaml`` of a trial, or only its model.

Three forms are read: a whole candidate, as ``results/NAME/trials/0007/config.yaml``; a mapping with ``model`` and
perhaps ``training``; the keys of a model alone, ``{variant: vanilla, layers: 4@1, d_model: 96, ...}``.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import ABSENT_MEANS, Candidate, completed
from msarch.errors import UserError
from search.space.files import read_file
from search.space.schema.yaml_reader import read_yaml
from search.space.values.value_types import value_type_of

BATCH_SIZE = 8
"""Sequences in a step, if the file does not set it."""
DEFAULTS = {item.name: item.default for item in fields(ModelConfig) if item.name in ABSENT_MEANS["model"]}
"""Of fields whose absence means something else in a record."""


def read_config(path: Path) -> Candidate:
    """The candidate that `path` describes. Raises UserError with the file, its line and the key."""
    document = read_yaml(read_file(path), str(path))
    data = document.data
    if not isinstance(data, dict):
        raise UserError("must describe a model: variant, layers, d_model, n_heads, vocab_size, context", file=str(path))
    bare = "model" not in data
    try:
        return _candidate({"model": data} if bare else data)
    except UserError as error:
        raise document.place(_without_model(error) if bare else error) from None


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
        }
    )


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


def _without_model(error: UserError) -> UserError:
    return UserError(error.message, key=error.key.removeprefix("model").removeprefix("."))
