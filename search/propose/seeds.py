"""Seeds of single trials, drawn from the seed of their search."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, number: int) -> int:
    """A seed of 32 bits for one trial of a search."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4])
