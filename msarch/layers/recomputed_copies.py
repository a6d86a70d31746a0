"""Copies that are made again in the backward pass instead of being kept for it.

Attention keeps its keys and values for the backward pass. Where these are joined from parts of tensors that are kept
anyway, it is enough to remember how: a hook on autograd's saved tensors replaces the copy by a recipe, and follows the
recipe when the backward pass needs the copy.

Inside `torch.utils.checkpoint` the hooks of the checkpoint come first, and neither copies nor recipes are kept.
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
    """How to make a copy again, and which view of it autograd saved."""

    make: Callable[[], Tensor]
    size: torch.Size
    stride: tuple[int, ...]
    offset: int


class RecomputedCopies:
    """The copies in use, and the recipes that autograd keeps in their place."""

    def __init__(self) -> None:
        self._makers: dict[int, Callable[[], Tensor]] = {}

    def hooks(self) -> AbstractContextManager[object]:
        """Within this context autograd keeps recipes in place of copies; outside it, the copies."""
        return saved_tensors_hooks(self._pack, self._unpack)

    @contextmanager
    def replaced(self, *copies: tuple[Tensor, Callable[[], Tensor]]) -> Iterator[None]:
        """Within this context each copy is saved as the function that makes it again.

        That function must hold only detached tensors: the graph holds it, so it must not hold the graph.
        """
        self._makers = {copy.untyped_storage()._cdata: make for copy, make in copies}
        try:
            yield
        finally:
            self._makers = {}

    def _pack(self, tensor: Tensor) -> Tensor | _Recipe:
        # Found by storage, not by tensor: the unfused kernel saves views with other shapes.
        make = self._makers.get(tensor.untyped_storage()._cdata)
        if make is None:
            return tensor
        return _Recipe(make, tensor.size(), tensor.stride(), int(tensor.storage_offset()))

    @staticmethod
    def _unpack(kept: Tensor | _Recipe) -> Tensor:
        if isinstance(kept, Tensor):
            return kept
        return kept.make().as_strided(kept.size, kept.stride, kept.offset)
