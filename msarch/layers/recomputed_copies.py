"""Copies that the backward pass puts together again instead of keeping them.

Attention keeps its keys and values for the backward pass. Where these are copies of parts of tensors that are kept
anyway, keeping how they are joined is enough: a hook on what autograd saves swaps the copy for its recipe, and
follows it when the backward pass asks.

Inside `torch.utils.checkpoint` the hooks of the checkpoint come first, and nothing is kept either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


@dataclass(frozen=True)
class _Recipe:
    """How to make a copy again, and which view of it was to be kept."""

    make: Callable[[], Tensor]
    size: torch.Size
    stride: tuple[int, ...]
    offset: int


class RecomputedCopies:
    """Knows the copies in use, and what autograd is to keep in their place."""

    def __init__(self) -> None:
        self._makers: dict[int, Callable[[], Tensor]] = {}

    def hooks(self) -> AbstractContextManager[object]:
        """What runs inside keeps recipes in place of copies; without it, copies are kept."""
        return saved_tensors_hooks(self._pack, self._unpack)

    @contextmanager
    def replaced(self, *copies: tuple[Tensor, Callable[[], Tensor]]) -> Iterator[None]:
        """Inside, autograd keeps of each copy only how to make it again.

        What makes it must hold detached tensors alone: the graph would keep it, and it the graph.
        """
        self._makers = {copy.untyped_storage()._cdata: make for copy, make in copies}
        try:
            yield
        finally:
            self._makers = {}

    def _pack(self, tensor: Tensor) -> Tensor | _Recipe:
        # By storage: the unfused kernel keeps views of other shapes.
        make = self._makers.get(tensor.untyped_storage()._cdata)
        if make is None:
            return tensor
        return _Recipe(make, tensor.size(), tensor.stride(), int(tensor.storage_offset()))

    @staticmethod
    def _unpack(kept: Tensor | _Recipe) -> Tensor:
        if isinstance(kept, Tensor):
            return kept
        return kept.make().as_strided(kept.size, kept.stride, kept.offset)
