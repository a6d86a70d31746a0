"""Finds a space: a path, or the name of one that ships."""

from __future__ import annotations

import os
from pathlib import Path

from msarch.errors import UserError, quoted, unknown
from msarch.paths import exists, is_file, read_regular

LARGEST_FILE = 2**20

INSTALLED = Path(__file__).parent / "shipped"
CHECKOUT = Path(__file__).parents[2] / "spaces"


def shipped_spaces() -> dict[str, str]:
    """The text of each space that ships, by name, in alphabetical order."""
    # A wheel holds spaces/ as search/space/shipped (pyproject.toml). An editable install reads the checkout's own.
    folder = INSTALLED if INSTALLED.is_dir() else CHECKOUT
    found = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem)}
    assert found, f"no search spaces in {folder}: the installation is incomplete"
    return found


def space_summary(text: str) -> str:
    """What a space is for: the comment in its first line, or nothing where there is none."""
    first = text.lstrip().partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def find_space(source: str | Path) -> tuple[str, str]:
    """The text of a space and the name that errors show. Raises UserError where there is none."""
    if not isinstance(source, str | os.PathLike):
        raise UserError(f"must be the path of a YAML file or the name of a space that ships, got {quoted(source)}")
    path, name = Path(source), str(source)
    if is_file(path) or path.suffix in (".yaml", ".yml") or os.sep in name:
        return read_file(path), name
    shipped = shipped_spaces()
    if name not in shipped:
        raise UserError(f"{unknown('space', name, shipped)}; or give the path of a YAML file")
    return shipped[name], f"spaces/{name}.yaml"


def is_recorded(path: Path) -> bool:
    """Whether a search wrote this space into its results folder."""
    return path.name == "space.yaml" and exists(path.parent / "study.journal")


def read_file(path: Path) -> str:
    """The text of a file that a user wrote. Raises UserError where it cannot be one."""
    try:
        return read_regular(path, most=LARGEST_FILE, kind="a YAML file").decode("utf-8-sig")
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"is not UTF-8 text: byte {error.start} is not valid", file=str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot be read: {reason or error}", file=str(path)) from None
