"""The device that a model trains on: made deterministic, and asked how much memory it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.functional import linear


def make_deterministic(device: str, threads: int) -> None:
    """Fix the threads, and use torch's deterministic algorithms where they exist.

    On a CPU every kernel used here has one, so the same seed gives the same bits. On a GPU a kernel without one warns
    and runs. There the fused attention kernels compute their gradients without one too, since torch has them use it
    only where a missing one is an error: the same seed gives losses that are close, not the same bits.
    """
    torch.set_num_threads(threads)
    # As `use_deterministic_algorithms` does, which would import torch's compiler too, for a second of each process.
    torch.set_deterministic_debug_mode("error" if device == "cpu" else "warn")
    # Otherwise torch fills each new tensor first, which costs time; no tensor here is read before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set by a property


def allocated_without_model() -> int:
    """Bytes that this process has on the GPU before its model: cuBLAS's workspaces are made first, then all is counted.

    Everything allocated later belongs to the model.
    """
    # cuBLAS takes a workspace for each thread that calls it, and autograd runs the backward pass in another thread.
    for dtype in (torch.float32, torch.bfloat16):
        weight = torch.ones(64, 64, device="cuda", dtype=dtype, requires_grad=True)
        bias = torch.ones(64, device="cuda", dtype=dtype, requires_grad=True)
        linear(linear(weight, weight, bias), weight).sum().backward()
    torch.cuda.synchronize()
    del weight, bias
    return torch.cuda.memory_allocated()


class DeviceMemory:
    """What a GPU's allocator measures of a model's training steps; on a CPU nothing is measured.

    Create it before the model: what the process holds by then is not counted.

    Attributes:
        largest: the largest peak of all measured steps so far, in bytes; None before the first and on a CPU.
    """

    def __init__(self, device: str) -> None:
        self._is_measured = device == "cuda"
        self._held_before = allocated_without_model() if self._is_measured else 0
        self.largest: int | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measures the peak of what runs inside; neither the self-check nor a validation may."""
        if self._is_measured:
            torch.cuda.reset_peak_memory_stats()
        yield
        if self._is_measured:
            self.largest = max(self.largest or 0, self.peak())

    def peak(self) -> int:
        """On a GPU, the peak since measuring last began, in bytes above what was held before the model."""
        return torch.cuda.max_memory_allocated() - self._held_before
