"""The code that an exported model carries, so that transformers runs it where msarch is not installed.

Transformers copies the files that a model's file imports relatively from its own folder, without sub-folders. So the
modules that a model needs stand side by side there, each under its full name with underscores, and import each other
relatively. Nothing but their imports is changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from msarch.config.variants import VARIANTS

MODELING, CONFIGURATION = "modeling_msarch", "configuration_msarch"
_ENTRIES = {"msarch.hf.modeling": MODELING, "msarch.hf.configuration": CONFIGURATION}
_FROM = re.compile(r"^(\s*)from (msarch[\w.]*) import", re.MULTILINE)
_REGISTERED = re.compile(r'model="(msarch\.models\.\w+):')


def exported_code(variant: str) -> dict[str, str]:
    """The source of each file, by name, for models of one variant."""
    needed = needed_modules("msarch.hf.modeling", _module_of(variant))
    code = {f"{flat_name(name)}.py": _flattened(_source(name)) for name in needed}
    # Earlier versions of transformers copy only what this file itself imports, and the variant is imported by name.
    others = sorted({flat_name(name) for name in needed} - {MODELING})
    # "from .x import __name__" is a form that transformers finds.
    lines = "".join(f"from .{name} import __name__ as _  # noqa: F401\n" for name in others)
    code[f"{MODELING}.py"] += f"\n# Every file that this model needs, for programs that copy them.\n{lines}"
    return code


def needed_modules(*entries: str) -> list[str]:
    """The modules of msarch that these import, directly or not, themselves included."""
    found: list[str] = []
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += _imports(name)
    return sorted(found)


def flat_name(module: str) -> str:
    """``msarch.layers.attention`` as ``msarch_layers_attention``."""
    return _ENTRIES.get(module) or module.replace(".", "_")


def _module_of(variant: str) -> str:
    return VARIANTS[variant].model.partition(":")[0]


def _source(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin).read_text(encoding="utf-8")


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            if (node.module or "").split(".")[0] == "msarch":
                assert all(find_spec(f"{node.module}.{each.name}") is None for each in node.names if _is_package(node))
                yield node.module or ""
        elif isinstance(node, ast.Import):
            assert all(each.name.split(".")[0] != "msarch" for each in node.names), f"{module}: write from ... import"


def _is_package(node: ast.ImportFrom) -> bool:
    spec = find_spec(node.module or "")
    return spec is not None and spec.submodule_search_locations is not None


def _flattened(source: str) -> str:
    relative = _FROM.sub(lambda found: f"{found[1]}from .{flat_name(found[2])} import", source)
    return _REGISTERED.sub(lambda found: f'model=".{flat_name(found[1])}:', relative)
