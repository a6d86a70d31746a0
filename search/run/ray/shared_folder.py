"""Whether a process that trains sees the results folder of the search, which on a cluster may lie on another disk.

A search keeps a note in its results folder, of a name that no other search has (`search.run.ray.scratch`). A process
that finds another note there, or none, sees another folder under the same path: what it wrote there would be lost.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path

from msarch.errors import UserError
from search.run.ray.scratch import NOTE

PATIENCE = 30.0
"""Seconds until a file that one machine has written must be seen on another: network disks remember what was not
there."""


class UnsharedError(UserError):
    """A node does not see the files that the search has on the machine that drives it."""


def require_shared(folder: Path, scratch: str, patience: float = PATIENCE) -> None:
    """Check that `folder` is the results folder of the search whose scratch folder has that name.

    Raises:
        UnsharedError: it is not, after so many seconds of patience.
    """
    end = time.monotonic() + patience
    while _note(folder) != scratch:
        if time.monotonic() >= end:
            raise UnsharedError(
                f"node {platform.node()} does not see the results folder {folder} of this search; put it on a disk "
                "that every node sees under the same path, see docs/cluster.md"
            )
        time.sleep(0.2)


def unreadable_text(error: UserError) -> UnsharedError:
    """For a node that cannot read the text, or cannot keep its tokens, where the search itself can."""
    return UnsharedError(
        f"node {platform.node()} cannot use the text: {error}; every node needs the same files under the same path, "
        "or a cache that it shares with the others, see docs/cluster.md"
    )


def _note(folder: Path) -> str:
    try:
        return (folder / NOTE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
