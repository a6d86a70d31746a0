"""Searches over many models: the space language, the trials, the ledger, the front, the report.

The same names are in `msarch` (`msarch.run_search`), which works beside a file `search.py` of your own as well.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.results.results import Results as Results
    from search.results.results import load_results as load_results
    from search.run.run_search import run_search as run_search
    from search.space.load import load_space as load_space
    from search.space.space import Space as Space

__all__ = ["Results", "Space", "load_results", "load_space", "run_search"]

_LAZY = {
    "Results": "search.results.results",
    "Space": "search.space.space",
    "load_results": "search.results.results",
    "load_space": "search.space.load",
    "run_search": "search.run.run_search",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'search' has no attribute '{name}'")
