"""Counts the bytes of all tensor storages alive, operation by operation, on real tensors or on fake ones.

Every operation passes through a dispatch mode. A storage is counted when an operation first returns it, and dropped
when the last reference to it goes. What a kernel allocates and frees inside itself is not seen, by design: it is the
same for every candidate of a kernel.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_DEVICE = torch.ops.prim.device.default


class Operation(NamedTuple):
    """One operation: how many events had been logged when it ended, in which phase and part it ran, what it was."""

    events: int
    phase: str
    part: str
    function: object


class LiveStorages(TorchDispatchMode):
    """A log of allocations and frees. Storages are numbered in the order in which they appear.

    Attributes:
        events: (storage, bytes), positive when it appears, negative when it goes, in order.
        storage_phase: the phase in which each storage appeared.
        storage_part: the part of the model in which it appeared.
        operations: every operation, in order.
        phase, part: of what runs now; whoever runs it keeps them current.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[int, int]] = []
        self.storage_phase: list[str] = []
        self.storage_part: list[str] = []
        self.operations: list[Operation] = []
        self.phase = "setup"
        self.part = ""
        self._alive: dict[int, int] = {}  # the number of each storage alive, by its address in C++

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled in here: without torch's guard against it each operation costs less."""
        return False

    def see(self, tensors: Iterable[Tensor]) -> list[int]:
        """Count these tensors' storages from now on; their numbers, in order."""
        return [self._number(tensor) for tensor in tensors]

    def _number(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        # Not `data_ptr`, which is 0 for every fake tensor: the address of the storage's own object in C++.
        key = storage._cdata
        number = self._alive.get(key)
        if number is None:
            size = storage.nbytes()
            number = self._appear(size)
            self._alive[key] = number
            # Torch keeps this Python object until the storage is gone, and no other reference to it is held here.
            weakref.finalize(storage, self._free, key, number, size)
        return number

    def _appear(self, size: int) -> int:
        """Log `size` bytes more, here and now; the number of the new storage."""
        number = len(self.storage_phase)
        self.storage_phase.append(self.phase)
        self.storage_part.append(self.part)
        self.events.append((number, size))
        return number

    def _free(self, key: int, number: int, size: int) -> None:
        self.events.append((number, -size))
        # The allocator may give a later storage the same address: it must get a number of its own.
        del self._alive[key]

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Called after each operation, for what another device would hold besides."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Asked of fake tensors alone, twice for each operation: three quarters of all calls. It makes no tensor.
        if func is _DEVICE:
            return args[0].fake_device
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self._number(out)
        else:
            for leaf in tree_leaves(out):
                if isinstance(leaf, Tensor):
                    self._number(leaf)
        self.after(func, args, kwargs or {}, out)
        self.operations.append(Operation(len(self.events), self.phase, self.part, func))
        return out
