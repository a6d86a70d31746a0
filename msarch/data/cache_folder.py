"""The cache folder, and how it stays whole when several processes build the same thing at once.

A folder is built under a temporary name and renamed when it is complete, so a reader never finds half of one.
A kernel lock makes the second builder wait instead of working twice. On a file system without locks both build, and the
copy of the slower one is dropped.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msarch.atomic_files import atomic_write
from msarch.data.find_files import expand_home
from msarch.errors import UserError

fcntl: Any = None
with contextlib.suppress(ImportError):  # Windows has none: renaming alone keeps the cache whole there
    fcntl = importlib.import_module("fcntl")


_VARIABLES = ("MSARCH_CACHE", "XDG_CACHE_HOME")


def cache_base() -> Path:
    """$MSARCH_CACHE, else $XDG_CACHE_HOME/msarch, else ~/.cache/msarch; made where it is missing. Raises UserError."""
    named, caches = (os.environ.get(name, "") for name in _VARIABLES)
    base = expand_home(named or str(Path(caches or "~/.cache", "msarch")))
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(base, error) from None
    return base.absolute()


def fix_cache_base() -> None:
    """Let this process, wherever it goes, and those that it starts keep the cache that a relative path names here."""
    for name in _VARIABLES:
        if value := os.environ.get(name, ""):
            os.environ[name] = str(expand_home(value).absolute())


def write_cached(path: Path, content: bytes) -> None:
    """Writes a file of the cache, whole or not at all. Raises UserError where the cache cannot be written."""
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
            temporary.chmod(0o644)  # a cache may be shared, whatever this user's new files are
    except OSError as error:
        raise _unusable(path.parent, error) from None


def build_folder(folder: Path, *, is_whole: Callable[[Path], bool], build: Callable[[Path], None]) -> None:
    """Makes `folder` whole: `build` fills an empty folder beside it, which then takes its name.

    A folder that is not whole is replaced. Raises UserError where the cache cannot be written, and whatever
    `build` raises; nothing half-built is left then.
    """
    if is_whole(folder):
        return
    try:
        with _locked(folder) as alone:
            if is_whole(folder):
                return
            if alone:
                _clear_left_over(folder)
            temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                build(temporary)
                _take_name(temporary, folder, is_whole)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _unusable(folder.parent, error) from error


def _take_name(temporary: Path, folder: Path, is_whole: Callable[[Path], bool]) -> None:
    temporary.chmod(0o755)  # mkdtemp's folders are private; a cache may be shared
    if folder.exists() and not is_whole(folder):
        shutil.move(folder, Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent)) / "damaged")
        _clear_left_over(folder, but=temporary)
    try:
        temporary.rename(folder)
    except OSError:
        if not is_whole(folder):  # another process was first: its copy is as good as ours
            raise


def _clear_left_over(folder: Path, *, but: Path | None = None) -> None:
    """Removes what builders left that were killed."""
    for path in folder.parent.glob(f".{folder.name}.*"):
        if path.is_dir() and path != but:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Waits until no other process builds `folder`; yields whether that is certain."""
    if fcntl is None:
        yield False
        return
    with Path(f"{folder}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            alone = True
        except OSError:  # some network file systems know no locks: the renaming still keeps the cache whole
            alone = False
        yield alone  # closing the file, or the death of this process, frees the lock


def _unusable(base: Path, error: OSError) -> UserError:
    return UserError(
        f"the cache {base} cannot be written ({error.strerror or error}); name another folder in MSARCH_CACHE"
    )
