"""Finds the package `search` that was installed with msarch. The one place where this package names the other.

The name is a common one. A script `search.py` of the user's own, in the current directory or beside the script that
runs, comes first on Python's path and would be imported in its place: in the user's program, and in every process
that Ray starts there. So `search` is loaded from the folder beside msarch's own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

BESIDE = Path(__file__).resolve().parents[1]
"""The folder that holds both packages, in an installation and in a checkout."""


def load_search() -> None:
    """Make `import search` mean the package beside msarch, in this process, from now on.

    Raises:
        ImportError: another module of that name was imported before, or the package is missing.
    """
    ours = BESIDE / "search" / "__init__.py"
    loaded = sys.modules.get("search")
    if loaded is not None:
        _check_file(getattr(loaded, "__file__", None), ours)
        return
    spec = PathFinder.find_spec("search", [str(BESIDE)])
    if spec is None or spec.loader is None or not ours.is_file():
        raise ImportError(f"the package 'search' is missing in {BESIDE}: install msarch again")
    module = module_from_spec(spec)
    sys.modules["search"] = module
    spec.loader.exec_module(module)


def prepare_worker() -> None:
    """The same in a process that Ray has started ahead of need; it also imports what every trial needs.

    Raises:
        ImportError: as `load_search` does.
    """
    load_search()
    for module in ("search.run.ray.trainable", "search.run.ray.worker"):
        import_module(module)


def _check_file(file: str | None, ours: Path) -> None:
    if file is None or Path(file).resolve() != ours.resolve():
        other = file or "a folder named search"
        raise ImportError(f"{other} was imported as 'search', the name of a package that msarch needs: rename it")
