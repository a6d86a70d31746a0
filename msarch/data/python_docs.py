"""The embedded corpus: the documentation that CPython ships, read without importing what it documents.

It is real English on every machine and needs no download. It differs between Python versions, so its
content hash belongs to every record, and figures compare within one version only. A docstring that two
modules share is kept once: a copy in the test split would be a leak. The parsed text (3 s) is kept in the
cache folder under a key of every source file's size and time.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from msarch.data.cache_folder import cache_base, write_cached

SHORTEST = 80
"""Docstrings below this many characters are mere labels."""

_FORMAT = 1
_SKIPPED = {
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idle_test",
    "idlelib",
    "lib-dynload",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "turtledemo",
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def python_docs() -> list[str]:
    """One document for each help topic, then one for each module of the standard library, in their names' order."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = list(_sources(root))
    kept = cache_base() / f"python-docs-{_state(files)}.json"
    texts = _kept(kept)
    if texts is not None:
        return texts
    texts = _without_repeats([*_topics(), *(docstrings(path.read_bytes()) for path in files)])
    write_cached(kept, json.dumps(texts).encode())
    return texts


def _kept(path: Path) -> list[str] | None:
    """The documents in a file of the cache; None where it is missing or damaged, so that they are read again."""
    try:
        texts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(texts, list) and bool(texts) and all(isinstance(text, str) for text in texts)
    return texts if whole else None


def docstrings(source: bytes) -> list[str]:
    """The docstrings of `SHORTEST` characters and more in Python source, in its order; none where it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in somebody else's file are not the user's concern
            tree = ast.parse(source)
    except (SyntaxError, ValueError):  # deliberately broken or oddly encoded files are part of some distributions
        return []
    found = (ast.get_docstring(node) for node in _walk(tree) if isinstance(node, _DOCUMENTED))
    return [text for text in found if text is not None and len(text) >= SHORTEST]


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def _topics() -> list[list[str]]:
    from pydoc_data.topics import topics

    return [[topics[name]] for name in sorted(topics)]


def _sources(root: Path) -> Iterator[Path]:
    """Python files under `root` in the order of their paths, without tests and other people's packages."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED and not name.startswith("config-"))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))


def _state(files: list[Path]) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {SHORTEST} {sys.version}".encode())
    for path in files:
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _without_repeats(documents: list[list[str]]) -> list[str]:
    """Each document's parts joined; a part seen before is left out, and so is a document without any."""
    seen: set[str] = set()
    kept = []
    for parts in documents:
        fresh = [part for part in dict.fromkeys(parts) if part not in seen]
        seen.update(fresh)
        if fresh:
            kept.append("\n\n".join(fresh))
    return kept
