"""YAML as people mean it: ``1e-3`` is a number, ``no`` is a word, a key stands once, and every key has a line.

PyYAML parses; what a plain scalar means is decided here (YAML 1.2's core rules, without dates, octals and
``1:30`` as 90). Nothing but words, numbers, truth values, lists and mappings can come out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from msarch.errors import UserError

Path = tuple[str | int, ...]
"""Keys and indices from the top: ``("model", "variant", "top_down", "layers", 1)``."""

MOST_NODES = 20_000

_INT = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "True": True, "false": False, "False": False}
_PART = re.compile(r"([^.\[\]]+)(?![^\[]*\])|\[([0-9]+)\]")
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """SafeLoader that leaves the meaning of plain scalars to `_scalar`."""


_Loader.yaml_implicit_resolvers = {}  # PyYAML's own rules would read `no` as False and `1:30` as 90


@dataclass
class Document:
    """What a YAML text says and where it says it.

    Attributes:
        data: plain values.
        file: the name that errors show, or empty for text that stands in no file.
        lines: the line, from 1, on which each key or item stands.
        replaced: paths that an override has set since, so that errors name the override.
        dropped: paths that were removed since another one has taken their place.
    """

    data: Any
    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    replaced: list[Path] = field(default_factory=list)
    dropped: list[Path] = field(default_factory=list)

    def place(self, error: UserError) -> UserError:
        """The same error with its file and line, or with the ``--set`` that caused it."""
        path = parse_path(error.key)
        message = " ".join(error.message.split())  # a value of several lines is still told in one
        if any(path[: len(override)] == override for override in self.replaced):
            return UserError(message, key=f"--set {error.key}")
        return UserError(message, key=error.key).at(self.file, self.line(path))

    def holds(self, key: str) -> bool:
        """Whether `key`, or what it belongs to, is a key of this text, and not an option or an argument."""
        path = parse_path(key)
        return bool(path) and isinstance(self.data, dict) and path[0] in self.data

    def line(self, path: Path) -> int:
        """The line of the longest part of `path` that stands in the text, or 0."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def parse_path(key: str) -> Path:
    """``model.layers[1]`` as ``("model", "layers", 1)``."""
    return tuple(int(index) if index else name for name, index in _PART.findall(key))


def format_path(path: Path) -> str:
    """``("model", "layers", 1)`` as ``model.layers[1]``."""
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return written.removeprefix(".")


def read_yaml(text: str, file: str) -> Document:
    """The values in `text`, with the line of each key. Raises UserError with the file and line."""
    document = Document(None, file)
    try:
        node = yaml.compose(text, Loader=_Loader)
        document.data = None if node is None else _Reader(document).value(node, (), ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UserError(_one_line(error), file=file, line=mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise UserError(f"is not YAML: {' '.join(str(error).split())}", file=file) from None
    except RecursionError:
        raise UserError("is nested too deeply", file=file) from None
    return document


def _one_line(error: yaml.MarkedYAMLError) -> str:
    said = " ".join(part for part in (error.context, error.problem) if part)
    return f"is not YAML: {' '.join(said.split())}"


@dataclass
class _Reader:
    document: Document
    nodes: int = 0

    def value(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Any:
        self.nodes += 1
        if id(node) in above or self.nodes > MOST_NODES:
            raise self.refuse(node, path, "repeats itself without end" if id(node) in above else "is too long")
        kind = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}[type(node)]
        if node.tag != _TAG + kind:
            raise self.refuse(node, path, f"the tag '{node.tag.replace(_TAG, '!!')}' has no meaning here; leave it out")
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        above = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), above) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, above)
        assert isinstance(node, yaml.ScalarNode)
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path, above: tuple[int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value.split() != [key.value]:
                raise self.refuse(key, path, "a key is one word")
            below = (*path, key.value)
            if key.value in values:
                raise self.refuse(key, below, f"is given twice, first on line {self.document.lines[below]}")
            self.document.lines[below] = key.start_mark.line + 1
            values[key.value] = self.value(value, below, above)
        return values

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text: str = node.value
        if node.style is not None:  # quoted or a block: a word whatever it looks like
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _FLOAT.fullmatch(text) and len(text) > 60:
            raise self.refuse(node, path, f"'{text[:20]}...' has too many digits")
        if _INT.fullmatch(text):
            return int(text)
        return float(text.replace("_", "")) if _FLOAT.fullmatch(text) else text

    def refuse(self, node: yaml.Node, path: Path, message: str) -> UserError:
        return UserError(message, key=format_path(path), file=self.document.file, line=node.start_mark.line + 1)
