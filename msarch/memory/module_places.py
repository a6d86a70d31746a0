"""Where in a model something happens: its blocks and the parts between them, by name and by scale.

A place is a module that the model's own forward pass calls: a block, an embedding, the norm of a stream, what joins
two streams. Hooks say which one runs, forwards and backwards; they change neither values nor lifetimes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from msarch.layers.block import Block, Stack
from msarch.memory.live_storages import LiveStorages

TOKENS, LOSS, UPDATE = "tokens", "loss", "update"
"""Places that no module stands for: the batch, the loss with its readout, the optimizer's update."""

_SCALES = {TOKENS: "embedding", "embedding": "embedding", LOSS: "readout", UPDATE: UPDATE}


@dataclass(frozen=True, slots=True)
class Place:
    """A name for people, such as "block 3 @16", and the scale: a factor as text, "embedding", "readout", "update"."""

    layer: str
    scale: str


class Places:
    """Tells a count of live storages where in the model it is; used as a context around the step.

    Blocks are numbered in the order of computation, as in the layer allocation. What is made between two places
    (a pooled stream, a sum of streams) is for the one that runs next.
    """

    def __init__(self, model: nn.Module, live: LiveStorages) -> None:
        self._model, self._live = model, live
        self._modules = dict(_called(model))
        self._outer: list[str] = []
        self._order: dict[str, None] = {TOKENS: None}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for path, module in self._modules.items():
            self._handles.append(module.register_forward_pre_hook(lambda module, args, path=path: self._enter(path)))
            leave = lambda module, args, output, path=path: self._leave(path, output)  # noqa: E731
            # Also where recomputing a block ends early, which torch does by an exception.
            self._handles.append(module.register_forward_hook(leave, always_call=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def phase(self, name: str) -> None:
        """A phase begins: the loss and the update are places of their own."""
        self._live.phase = name
        self._live.place = {"forward": "", "optimizer": UPDATE}.get(name, LOSS)

    def _enter(self, path: str) -> None:
        self._outer.append(self._live.place)
        self._live.place = path
        self._order.setdefault(path)

    def _leave(self, path: str, output: object) -> None:
        self._live.place = self._outer.pop()
        if self._live.phase == "forward" and isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(lambda gradient: self._return(path))  # type: ignore[no-untyped-call]

    def _return(self, path: str) -> None:
        """The gradient of this place's output is known: its backward pass begins."""
        self._live.place = path

    def of_parameter(self, name: str) -> str:
        """The path of the place that owns a parameter of that name; the name itself where none does."""
        parts = name.split(".")
        owners = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((path for path in owners if path in self._modules), name)

    def names(self) -> dict[str, Place]:
        """Every place by its path, in the order of computation; those that did not run, the loss, the update last."""
        places: dict[str, Place] = {}
        blocks = 0
        for path in [*self._order, *(path for path in self._modules if path not in self._order), LOSS, UPDATE]:
            block = _is_block(self._modules.get(path))
            blocks += block
            places[path] = self.place(path, f"block {blocks}" if block else "")
        return places

    def place(self, path: str, block: str = "") -> Place:
        """The place of a path. What stands under a factor is of that scale; all else runs at every token."""
        head, *rest = path.split(".")
        factor = rest[0] if isinstance(getattr(self._model, head, None), nn.ModuleDict) and rest[0].isdigit() else ""
        scale = factor or _SCALES.get(head, "1")
        return Place(f"{block or head} @{scale}" if block or factor else head, scale)


def _is_block(module: nn.Module | None) -> bool:
    """A block, or what says of itself that the allocation counts it as one of its scale's layers."""
    return isinstance(module, Block) or getattr(module, "layers", 0) == 1


def _called(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules that are called as a whole, blocks one by one."""
    for name, child in module.named_children():
        container = type(child).forward is nn.Module.forward
        if isinstance(child, Stack) or container:
            yield from _called(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child
