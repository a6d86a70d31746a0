"""torch.compile, layer by layer: thirty layers as one graph would take minutes to compile.

Only the transformer layer is compiled, once for each length of sequence (torch calls it regional compilation).
Embeddings, norms between layers, the chunked loss and a retina's attention are not compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

import torch
from torch import nn

from msarch.layers.attention import SelfAttention
from msarch.layers.transformer_layer import Stack, TransformerLayer
from msarch.models.retina import RetinaAttention


def compile_layers(model: nn.Module, backend: Any = "inductor") -> None:
    """Compile each transformer layer in place, at its first call; parameters keep their names."""
    import torch._dynamo

    stacks = [module for module in model.modules() if isinstance(module, Stack)]
    for stack in stacks:
        stack.register_forward_pre_hook(_prepare_positions)
        for layer in _attending(stack):
            if isinstance(layer.attention, RetinaAttention):
                _leave_eager(layer.attention)
            layer.compile(backend=backend, dynamic=False)
    # Beyond this limit torch runs eagerly what is compiled for another scale.
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, len(stacks))
    # Set to what it is already: this tells the compiler too, which then does not choose kernels by timing them.
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled(), warn_only=warns)


def _attending(stack: Stack) -> Iterator[TransformerLayer]:
    return (layer for layer in stack.blocks if isinstance(layer, TransformerLayer))


def _prepare_positions(stack: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Make the tables that a stack's layers share before the first of them runs.

    A layer that makes them is another graph than those that find them made, and it makes them after each validation,
    whose lengths are other ones: three graphs for each scale.
    """
    assert isinstance(stack, Stack)
    x_BND = inputs[0]
    attention = next((layer.attention for layer in _attending(stack)), None)
    if not isinstance(attention, SelfAttention) or x_BND.shape[1] == 0:
        return
    device = x_BND.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_BND.dtype
    batch, states, width = x_BND.shape
    like = x_BND.new_empty(1, dtype=dtype)
    attention.positions.prepare(like.expand(batch, attention.n_heads, states, width // attention.n_heads))


def _leave_eager(attention: RetinaAttention) -> None:
    """Compile what is before and after it, but not this attention.

    It remembers by storage which copies to make again in the backward pass, and compiled code gives no such storage:
    the copies would all be kept, which is more memory than was predicted.
    """
    reason = "a retina's attention makes its copies again in the backward pass"
    attention.forward = torch.compiler.disable(attention.forward, reason=reason)  # type: ignore[method-assign]  # of this one alone


@contextmanager
def eager(compiled: bool) -> Iterator[None]:
    """Within this context nothing is compiled or called compiled.

    Validation has other lengths, and each would be compiled anew, up to a limit after which torch gives up.
    """
    if not compiled:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


_COMPILER = ("torch._dynamo", "torch._inductor", "torch._functorch", "triton")


def is_from_compiler(error: BaseException) -> bool:
    """Whether torch.compile failed: its own error, or one raised while its code ran, as a plain RuntimeError may be."""
    below: list[str] = []  # the modules below the last one of this package: where an error of ours was raised, none
    for frame, _ in walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        below = [] if name.startswith("msarch.") else [*below, name]
    return any(name.startswith(_COMPILER) for name in (type(error).__module__, *below))
