"""From a configuration to a model."""

from __future__ import annotations

import importlib
from typing import cast

from msarch.config import ModelConfig
from msarch.config.variants import variant_named
from msarch.models.language_model import LanguageModel


def model_class(name: str) -> type[LanguageModel]:
    """The module class of a registered variant."""
    module, _, attribute = variant_named(name).model.partition(":")
    return cast(type[LanguageModel], getattr(importlib.import_module(module, __package__), attribute))


def build_model(config: ModelConfig) -> LanguageModel:
    """The model that `config` describes, its parameters drawn from torch's current random state.

    ``model(tokens)`` maps (batch, time) int64 to logits (batch, time, vocab_size).
    """
    model = model_class(config.variant)(config)
    model.initialise()
    return model
