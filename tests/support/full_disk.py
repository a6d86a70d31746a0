"""Files that cannot grow beyond a size, as on a disk that is full: what is written then fails as it does there."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

SMALL = 16 * 1024
"""Bytes that a file may have."""


@contextmanager
def files_stay_small(most: int = SMALL) -> Iterator[None]:
    """Inside, this process and those that it starts cannot write past the first `most` bytes of a file (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
