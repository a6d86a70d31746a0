"""What may end a training though nothing is broken, in one line: a loss that is not finite, memory that runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msarch.errors import UserError
from msarch.units import format_bytes

_CPU_ALLOCATOR = "DefaultCPUAllocator: can't allocate memory"
"""What torch's allocator says on a CPU; only for CUDA does it have an error of its own."""


class OutOfMemoryError(UserError):
    """A training needs more memory than was free: another machine, or this one at another time, may have it."""


@contextmanager
def loss_in_one_line(remedy: str) -> Iterator[None]:
    """A loss that is not finite, told with what explains it or helps. Raises UserError."""
    from msarch.training.trainer import NonFiniteLossError

    try:
        yield
    except NonFiniteLossError as error:
        raise UserError(f"{error}; {remedy}") from error


@contextmanager
def memory_in_one_line(memory_bytes: int, remedy: str) -> Iterator[None]:
    """Memory that runs out, told with that of a training step as predicted and what helps. Raises OutOfMemoryError."""
    try:
        yield
    except RuntimeError as error:
        place = _memory_that_ran_out(error)
        if not place:
            raise
        needs = format_bytes(memory_bytes)
        raise OutOfMemoryError(f"{place} memory ran out; a step is predicted to need {needs}; {remedy}") from error


def _memory_that_ran_out(error: RuntimeError) -> str:
    """Whose memory it was; empty where the error is another one."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return "the GPU's"
    return "this machine's" if _CPU_ALLOCATOR in str(error) else ""
