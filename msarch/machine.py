"""What this machine offers to this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has; 1 where the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and batch systems pin processes to some of the cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpu_count(root: Path = Path("/")) -> int:
    """GPUs that torch can use, which is imported only where there is a driver of one.

    Args:
        root: where dev/ is.
    """
    if sys.platform == "linux" and not any(any(root.glob(f"dev/{name}")) for name in _GPU_DEVICES):
        return 0
    import torch

    return torch.cuda.device_count()


_GPU_DEVICES = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg")
"""Files of GPU drivers: NVIDIA's, for its boards with a GPU in the processor too, AMD's, and Windows' for Linux."""


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process and its children may still take; None where the system does not say (Linux does).

    It is what the kernel can give without swapping, or what a control group leaves, as of a container, where that is
    less. Files that a group keeps in memory count as free: the kernel drops them first.

    Args:
        root: where proc/ and sys/ are.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(free + _free_in_groups(root), default=None)


def _free_in_groups(root: Path) -> list[int]:
    """What each control group around this process leaves; those without a limit are left out."""
    try:
        paths = [line.split(":", 2)[2] for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    base = root / "sys/fs/cgroup"
    inner = (base / path.lstrip("/") for path in paths if path.startswith("/"))
    groups = {folder for group in inner for folder in (group, *group.parents) if folder.is_relative_to(base)}
    found = (_free_in(group, *names) for group in groups for names in _V1_AND_V2)
    old = _free_in(base / "memory", *_V1_AND_V2[0])
    return [free for free in (*found, old) if free is not None]


_V1_AND_V2 = (
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ("memory.max", "memory.current", "inactive_file"),
)


def _free_in(group: Path, limit: str, usage: str, dropped: str) -> int | None:
    try:
        most, used = (group / limit).read_text().strip(), int((group / usage).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    return None if most == "max" else max(0, int(most) - used + int(stat.get(dropped, 0)))
