"""Which files a pattern names, in an order that is the same wherever they stand."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from msarch.errors import UserError


def find_files(patterns: Sequence[str], *, base: Path, key: str) -> list[Path]:
    """The files that `patterns` name (``**`` goes through folders), each pattern's in order, no file twice.

    Relative patterns start at `base`. Raises UserError at `key` where a pattern names no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        # not Path.glob, which refuses absolute patterns, nor Path.expanduser, which raises on an unknown user
        names = glob.glob(os.path.expanduser(pattern), root_dir=base, recursive=True)  # noqa: PTH111, PTH207
        paths = (Path(os.path.normpath(base / name)) for name in sorted(names, key=lambda name: Path(name).as_posix()))
        files = [path for path in paths if path.is_file()]
        if not files:
            raise UserError(f"'{pattern}' names no file{_nearest(pattern, base)}", key=key)
        found.update(dict.fromkeys(files))
    return list(found)


def _nearest(pattern: str, base: Path) -> str:
    """What stands where the pattern was still right: the nearest name, or a few of those that are there."""
    folder = base
    for part in Path(os.path.expanduser(pattern)).parts:  # noqa: PTH111
        if not os.path.isdir(folder / part):  # noqa: PTH112  (Path.is_dir raises on a name that is too long)
            break
        folder = folder / part
    else:
        return f": {folder} is a folder; name its files, such as '{Path(pattern, '*.txt')}'"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))
    near = get_close_matches(part, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}' in {folder}?"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"; {folder} holds {', '.join(names[:5]) + more if names else 'nothing'}"
