"""torch.compile, layer by layer: thirty layers as one graph would take minutes to compile.

Only the transformer layer is compiled, once for each length of sequence (torch calls it regional compilation).
Embeddings, norms between layers and the chunked loss are not compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from msarch.layers.transformer_layer import TransformerLayer


def compile_layers(model: nn.Module, backend: Any = "inductor") -> None:
    """Compile each transformer layer in place, at its first call; parameters keep their names."""
    for layer in (module for module in model.modules() if isinstance(module, TransformerLayer)):
        layer.compile(backend=backend, dynamic=False)
    # Set to what it is already: this tells the compiler too, which then does not choose kernels by timing them.
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled(), warn_only=warns)


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
