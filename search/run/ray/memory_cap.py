"""Keeps a trial on a GPU within what was predicted for it, and measures what it used.

The cap acts on what the process has from the driver: blocks in use, free fragments between them, cuBLAS's workspaces.
It is the prediction for CUDA, of a training step or of a validation, whichever is larger, plus `MARGIN` and `EXTRA`.
Both are estimates. Where trials share a GPU, none may take more than its share of the memory, so that it never takes
what another one was promised.
"""

from __future__ import annotations

import gc
import re
from typing import Any

from msarch.config.candidate import Candidate
from msarch.units import parse_bytes

MARGIN = 0.15
"""Share added to the prediction for fragmentation and for what is not modelled."""
EXTRA = 256 * 2**20
"""Bytes for cuBLAS's workspaces (up to 64 MiB) and segments that are partly used."""

CONTEXT = 512 * 2**20
"""Bytes that CUDA itself takes for a process, which count towards a share of a GPU; an estimate."""

_TRIED = re.compile(r"[Tt]ried to allocate ([0-9.]+) ([KMGT]?i?B|bytes)")


class MemoryCap:
    """The cap of one process's allocator; processes train one trial after another.

    Args:
        cuda: the module `torch.cuda`, or a replacement in tests.
        share: of the GPU's memory that this process may take at most.
    """

    def __init__(self, cuda: Any, share: float = 1.0) -> None:
        self._cuda, self._share = cuda, share

    def put(self, size: int) -> None:
        """Allow `size` bytes, or the whole share where that is less."""
        self._cuda.set_per_process_memory_fraction(min(1.0, self.allowed(size) / self._total))

    def lift(self) -> None:
        """Allow the whole share, and give back what the last trial left."""
        gc.collect()
        self._cuda.empty_cache()
        self._cuda.set_per_process_memory_fraction(self.share_bytes / self._total)

    def allowed(self, size: int) -> int:
        """Bytes that a trial may take which asks for `size`; a GPU that is not shared ends where its memory ends."""
        return size if self._share == 1 else min(size, self.share_bytes)

    @property
    def share_bytes(self) -> int:
        """Bytes that a process may take which has its share of the GPU."""
        share = round(self._share * self._total)
        return share if self._share == 1 else max(share - CONTEXT, share // 2)

    @property
    def _total(self) -> int:
        return int(self._cuda.get_device_properties(0).total_memory)


def cap_of(candidate: Candidate) -> int:
    """Bytes that a trial of this candidate may take of a GPU."""
    from msarch.memory.profile import profile_training_step
    from msarch.memory.validation_memory import profile_validation

    step = profile_training_step(candidate.model, candidate.training, device="cuda").peak_bytes
    validation = profile_validation(candidate.model, candidate.training, device="cuda")
    return round(max(step, validation) * (1 + MARGIN)) + EXTRA


def tried_bytes(error: BaseException) -> int:
    """Bytes of the allocation that torch says did not fit; 0 where it does not say."""
    found = _TRIED.search(str(error))
    return parse_bytes(f"{found[1]} {'B' if found[2] == 'bytes' else found[2]}") if found else 0
