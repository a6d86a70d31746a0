"""Multi-scale transformer language models: build one, train it, and know its memory before any training.

`build_model` and `profile_training_step` need torch, which takes a second to import: they are loaded at
their first use, so that reading a configuration stays instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError

if TYPE_CHECKING:
    from msarch.memory.profile import profile_training_step as profile_training_step
    from msarch.models.build import build_model as build_model

__version__ = "0.1.0"
__all__ = [
    "Candidate",
    "CorpusConfig",
    "ModelConfig",
    "TokenizerConfig",
    "TrainingConfig",
    "UserError",
    "build_model",
    "profile_training_step",
]

_LAZY = {"build_model": "msarch.models.build", "profile_training_step": "msarch.memory.profile"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'msarch' has no attribute '{name}'")
