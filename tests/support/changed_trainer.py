"""Processes in which the trainer is another one: faults that a test could not bring about otherwise."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

from support.command_line import ROOT, fill, msarch

# Python imports `sitecustomize` from its path at every start, in Ray's workers too. torch is not imported here: the
# change is made when the trainer is imported, and only then.
_STARTUP = """
import importlib.machinery
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "msarch.training.trainer":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            change(module)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def python_path_with(folder: Path, change: str) -> str:
    """A PYTHONPATH under which ``change(module)``, defined in that code, is done to `msarch.training.trainer`."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(change + _STARTUP, encoding="utf-8")
    return f"{folder}:{ROOT}"


def search_with(change: str, place: Path, trials: int) -> CompletedProcess[str]:
    """A search of so many trials in `place`, into `out`, with that change of the trainer."""
    path = python_path_with(place / "startup", change)
    return msarch("search", "space.yaml", "--out", "out", "--trials", trials, cwd=fill(place), PYTHONPATH=path)
