"""Multi-scale transformer language models: build one, know its memory before any training, or search many.

The front door: everything that most programs need, under one name. ::

    import msarch
    msarch.run_search("quickstart")
    msarch.load_results("results/quickstart").pareto  # a pandas DataFrame

`import msarch` takes milliseconds: what needs torch, Ray or pandas is imported at its first use (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError

if TYPE_CHECKING:
    from msarch.memory.profile import profile_training_step
    from msarch.models.build import build_model
    from search.results.results import Results, load_results
    from search.run.run_search import run_search
    from search.space.load import load_space
    from search.space.space import Space

__version__ = "0.1.0"
__all__ = [
    "Candidate",
    "CorpusConfig",
    "ModelConfig",
    "Results",
    "Space",
    "TokenizerConfig",
    "TrainingConfig",
    "UserError",
    "build_model",
    "load_results",
    "load_space",
    "profile_training_step",
    "run_search",
]

_LAZY = {
    "Results": "search.results.results",
    "Space": "search.space.space",
    "build_model": "msarch.models.build",
    "load_results": "search.results.results",
    "load_space": "search.space.load",
    "profile_training_step": "msarch.memory.profile",
    "run_search": "search.run.run_search",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'msarch' has no attribute '{name}'")
    module = _LAZY[name]
    if module.startswith("search."):
        from msarch.search_package import load_search

        load_search()  # not a file search.py of the user's
    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
