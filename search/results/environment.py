"""environment.json of a results folder, read: what a search ran on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msarch.errors import UserError
from msarch.paths import read_regular

ENVIRONMENT = "environment.json"
LARGEST = 2**24
DEEPEST = 20
"""Mappings and lists inside one another; ours has five."""
_REMEDY = "restore it from a copy, or delete it"


def read_environment(folder: Path) -> dict[str, Any]:
    """What the search of a results folder ran on; empty where the file is missing. Raises UserError."""
    path = folder / ENVIRONMENT
    try:
        found = json.loads(read_regular(path, most=LARGEST))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}; {_REMEDY}", file=str(path)) from None
    except RecursionError:
        raise UserError(f"is damaged: it is nested too deeply; {_REMEDY}", file=str(path)) from None
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"is damaged ({error}); {_REMEDY}", file=str(path)) from None
    if not isinstance(found, dict):
        raise UserError(f"is damaged: it does not hold a mapping; {_REMEDY}", file=str(path))
    if _is_deep(found):
        raise UserError(f"is damaged: it is nested too deeply; {_REMEDY}", file=str(path))
    return found


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEEPEST):
        inside = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [each for items in inside for each in items]
    return bool(level)
