"""Counts the bytes of all live tensor storages, operation by operation, on real tensors or fake ones.

Every operation passes through a dispatch mode. A storage is counted when an operation first returns it, and dropped
when the last reference to it goes. Memory that a kernel allocates and frees internally is not seen, by design: it
depends on the kernel, not on the architecture.
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
        phase, part: those that run now; the caller keeps them up to date.
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
        """Nothing is compiled in this mode, and without torch's guard against it each operation costs less."""
        return False

    def see(self, tensors: Iterable[Tensor]) -> list[int]:
        """Count these tensors' storages from now on; their numbers, in order."""
        return [self._number(tensor) for tensor in tensors]

    def _number(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        # The address of the storage's C++ object. `data_ptr` would not do: it is 0 for every fake tensor.
        key = storage._cdata
        number = self._alive.get(key)
        if number is None:
            size = storage.nbytes()
            number = self._appear(size)
            self._alive[key] = number
            # Torch keeps this Python object as long as the storage lives, so its end is the storage's end.
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
        # A later storage may get the same address, and needs a number of its own.
        del self._alive[key]

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Called after each operation; a subclass adds what another device would hold."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # A shortcut: fake tensors ask for their device twice in each operation, three quarters of all calls here.
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
