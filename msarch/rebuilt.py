"""Copies that the backward pass puts together again instead of keeping them.

Attention keeps its keys and values for the backward pass. Where these are copies of parts of tensors that are kept
anyway, keeping the parts' places is enough: a hook on what autograd saves swaps the copy for its parts, and joins
them again when the backward pass asks.

Inside `torch.utils.checkpoint` the hooks of the checkpoint come first, and nothing is kept either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def join(parts: Sequence[Tensor]) -> Tensor:
    """Parts (B, H, M_i, K) one after another, as a copy: (B, H, sum M_i, K)."""
    return torch.cat(list(parts), dim=2)


@dataclass(frozen=True)
class _Recipe:
    """A tensor by its parts and its place in them, once joined."""

    parts: list[Tensor]
    size: torch.Size
    stride: tuple[int, ...]
    offset: int


class Rebuilt:
    """Knows the joined copies in use, and what autograd is to keep in their place."""

    def __init__(self) -> None:
        self._parts: dict[int, list[Tensor]] = {}

    def hooks(self) -> AbstractContextManager[object]:
        """What runs inside keeps recipes in place of joined copies; without it, copies are kept."""
        return saved_tensors_hooks(self._pack, self._unpack)

    @contextmanager
    def joined(self, *joints: Sequence[Tensor]) -> Iterator[list[Tensor]]:
        """Each sequence of parts joined, to be used inside; afterwards only a recipe knows of the copy."""
        copies = [join(parts) for parts in joints]
        for copy, parts in zip(copies, joints, strict=True):
            # Detached: a recipe that held on to the graph would keep the graph alive, which holds the recipe.
            self._parts[copy.untyped_storage()._cdata] = [part.detach() for part in parts]
        try:
            yield copies
        finally:
            self._parts.clear()

    def _pack(self, tensor: Tensor) -> Tensor | _Recipe:
        # By storage: the unfused kernel keeps views of other shapes.
        parts = self._parts.get(tensor.untyped_storage()._cdata)
        if parts is None:
            return tensor
        return _Recipe(parts, tensor.size(), tensor.stride(), int(tensor.storage_offset()))

    @staticmethod
    def _unpack(kept: Tensor | _Recipe) -> Tensor:
        if isinstance(kept, Tensor):
            return kept
        return join(kept.parts).as_strided(kept.size, kept.stride, kept.offset)
