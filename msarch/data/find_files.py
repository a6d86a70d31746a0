"""Which files a pattern names, in an order that is the same wherever they stand."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from msarch.errors import UserError, quoted
from msarch.paths import is_file, is_folder


def find_files(patterns: Sequence[str], *, base: Path, key: str) -> list[Path]:
    """The files that `patterns` name (``**`` goes through folders), each pattern's in order, no file twice.

    The name of an existing file is no pattern, whatever is in it. Relative patterns start at `base`. Raises UserError
    at `key` where a pattern names no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = expand_home(pattern)
        files = _files(glob.escape(str(path)), base) or _files(str(path), base) or _files(_in_folders(path, base), base)
        if not files:
            raise UserError(f"{quoted(pattern)} names no file{_nearest(pattern, base)}", key=key)
        found.update(dict.fromkeys(files))
    return list(found)


def _files(pattern: str, base: Path) -> list[Path]:
    names = glob.glob(pattern, root_dir=base, recursive=True)  # noqa: PTH207  # Path.glob refuses absolute patterns
    paths = (Path(os.path.normpath(base / name)) for name in sorted(names, key=lambda name: Path(name).as_posix()))
    return [path for path in paths if is_file(path)]


def _in_folders(path: Path, base: Path) -> str:
    """The pattern `path` with its first folders, as far as they exist, taken literally."""
    inside = next((each for each in path.parents if is_folder(base / each)), Path(path.anchor))
    return str(Path(glob.escape(str(inside)), path.relative_to(inside)))


def expand_home(text: str) -> Path:
    """`text` with its ``~`` replaced; that of an unknown user stays as it is, and is then not found."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  # Path.expanduser raises on an unknown user


def _nearest(pattern: str, base: Path) -> str:
    """What the last folder that exists holds: the name nearest to the pattern, or the first few."""
    folder = base
    for part in expand_home(pattern).parts:
        if not is_folder(folder / part):
            break
        folder = folder / part
    else:
        return f": {folder} is a folder; name its files, such as '{Path(pattern, '*.txt')}'"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))
    near = get_close_matches(part, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {quoted(near[0])} in {folder}?"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"; {folder} holds {', '.join(names[:5]) + more if names else 'nothing'}"
