"""What this machine offers to this process."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has; 1 where the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and batch systems pin processes to some of the cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
