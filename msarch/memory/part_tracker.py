"""Which part of a model is running: its layers and the modules between them, by name and by scale.

A part is a module that the model's own forward pass calls as a whole: a layer, an embedding, the norm of a stream, the
module that joins two streams. Hooks record which one runs, forward and backward, without changing values or lifetimes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from msarch.layers.transformer_layer import FeedForwardLayer, Stack, TransformerLayer
from msarch.memory.live_storages import LiveStorages
from msarch.models.language_model import Stream

TOKENS, LOSS, UPDATE = "tokens", "loss", "update"
"""Parts that are not modules: the batch, the loss with its readout, the optimizer's update."""

_SCALES = {TOKENS: "embedding", "embedding": "embedding", LOSS: "readout", UPDATE: UPDATE}


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A part's name for people, such as "layer 3 @16", and its scale.

    The scale is a shortening factor as text, "embedding", "readout" or "update".
    """

    name: str
    scale: str


class PartTracker(ExitStack):
    """Keeps a count of live storages informed of the part that runs; used as a context around the step.

    Layers are numbered in the order of computation, as in the layer allocation. What is made between two parts
    (a pooled stream, a sum of streams) belongs to the one that runs next.
    """

    def __init__(self, model: nn.Module, live: LiveStorages) -> None:
        super().__init__()
        self._model, self._live = model, live
        self._modules = dict(_called_modules(model))
        self._enclosing: list[str] = []  # the parts to return to, while one runs inside another
        self._order: dict[str, None] = {TOKENS: None}  # a set that keeps the order of first use

    def __enter__(self) -> Self:
        for path, module in self._modules.items():
            self._add_hooks(path, module)
        return self

    def _add_hooks(self, path: str, module: nn.Module) -> None:
        def before(module: nn.Module, inputs: object) -> None:
            self._enter(path)

        def after(module: nn.Module, inputs: object, output: object) -> None:
            self._leave(path, output)

        self.enter_context(module.register_forward_pre_hook(before))
        # always_call, because torch ends the recomputation of a checkpointed layer with an exception.
        self.enter_context(module.register_forward_hook(after, always_call=True))

    def begin_phase(self, name: str) -> None:
        """A phase of the step begins: forward, loss, backward, optimizer or end."""
        self._live.phase = name
        # The backward pass begins with the loss; from there the hooks on outputs take over.
        self._live.part = {"forward": "", "optimizer": UPDATE}.get(name, LOSS)

    def _enter(self, path: str) -> None:
        self._enclosing.append(self._live.part)
        self._live.part = path
        self._order.setdefault(path)

    def _leave(self, path: str, output: object) -> None:
        self._live.part = self._enclosing.pop()
        # Forward phase only: in the backward phase a layer runs to be recomputed, and no gradient reaches that output.
        if self._live.phase == "forward" and isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(lambda gradient: self._begin_backward(path))

    def _begin_backward(self, path: str) -> None:
        """The gradient of this part's output has arrived: its backward pass begins."""
        self._live.part = path

    def owner_of(self, parameter: str) -> str:
        """The path of the part that holds the parameter of that name; the name itself where none does."""
        words = parameter.split(".")
        prefixes = (".".join(words[:end]) for end in range(len(words), 0, -1))
        return next((path for path in prefixes if path in self._modules), parameter)

    def parts(self) -> dict[str, ModelPart]:
        """Every part by its path, in the order of computation; then those that did not run, the loss, the update."""
        found: dict[str, ModelPart] = {}
        layers = 0
        for path in [*self._order, *(path for path in self._modules if path not in self._order), LOSS, UPDATE]:
            is_layer = _is_layer(self._modules.get(path))
            layers += is_layer
            found[path] = self.describe(path, f"layer {layers}" if is_layer else "")
        return found

    def describe(self, path: str, layer: str = "") -> ModelPart:
        """The part at a path. A module under a factor belongs to that scale; any other runs at every token."""
        head, *rest = path.split(".")
        # A module dictionary with numbers as keys, such as `stacks.4`, has one entry for each scale.
        factor = rest[0] if isinstance(getattr(self._model, head, None), nn.ModuleDict) and rest[0].isdigit() else ""
        scale = factor or _SCALES.get(head, "1")
        return ModelPart(f"{layer or head} @{scale}" if layer or factor else head, scale)


def _is_layer(module: nn.Module | None) -> bool:
    """A transformer layer, or a module that the allocation counts as a layer (`layers` is 1)."""
    return isinstance(module, TransformerLayer | FeedForwardLayer) or getattr(module, "layers", 0) == 1


def _called_modules(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules that are called as a whole, and the layers of stacks one by one."""
    for name, child in module.named_children():
        # Lists and dictionaries of modules are never called: the `forward` that they inherit only raises.
        is_container = type(child).forward is nn.Module.forward
        if isinstance(child, Stack) or is_container:
            yield from _called_modules(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child
            if isinstance(child, Stream):
                # Top-down models call its norm and add its positions separately: streams meet in between.
                yield f"{prefix}{name}.norm", child.norm
