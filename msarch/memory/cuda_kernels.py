"""Where a step on a CUDA GPU keeps other bytes than the same step on the CPU, and on the profiler's fake CPU tensors.

The profiler uses fake CPU tensors, because a build of torch without CUDA has no fake GPU tensors. Most operations
make and keep the same tensors on both. The exceptions are modelled here, each with its place in torch's source:

dropout       CUDA keeps a mask of one byte a number (``native/cuda/Dropout.cu``), the CPU the noise in floats.
layer norm    CUDA's autocast runs it in float32 (``autocast_mode.h``, the list ``FP32``), the CPU's as it comes.
masks         the efficient kernel wants rows at multiples of 8 numbers; others are copied with a wider row, and the
              copy is kept (``native/transformers/attention.cpp``, `preprocess_mask`).
heads         whose rows are not multiples of 16 bytes are padded, see `msarch.layers.attention.attention_on_cuda`.
attention     what the fused kernels keep, and hold while they run: see `msarch.memory.cuda_attention`.
softmax       of unfused attention: beside its result it holds that of the plain softmax and a mask of one byte a score
              (``native/transformers/attention.cpp``, `_safe_softmax`), on the CPU as well.
rounding      the caching allocator hands out whole blocks: see `msarch.memory.cuda_allocator`.

The optimizer is fused and clipping runs on lists of tensors: neither holds more than a few numbers for each parameter.
Not modelled: cuBLAS's workspaces, which belong to the process (see `allocated_without_model` in
`msarch.training.device`), and what sums over tokens need inside a kernel, such as the embedding's gradient, which
stands at the very end of the backward pass.

Written from torch's source; not yet compared with a GPU.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.graph import _engine_run_backward
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from msarch.layers.attention import attention_dtype, attention_on_cuda
from msarch.memory.cuda_allocator import in_blocks
from msarch.memory.cuda_attention import held_by_attention, held_by_attention_backward, kept_by_attention
from msarch.memory.live_storages import LiveStorages

_FORWARD = "aten::_scaled_dot_product_flash_attention_for_cpu"
_BACKWARD = "aten::_scaled_dot_product_flash_attention_for_cpu_backward"
_SAFE_SOFTMAX = "aten::_safe_softmax"


class CudaStorages(LiveStorages):
    """Counts what the same operations would hold on a GPU. On exit, sizes become those of the allocator's blocks.

    Attributes:
        reserved: bytes of the allocator's segments in all, known at the end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reserved = 0
        self._functions = CudaFunctions()

    def __enter__(self) -> Self:
        super().__enter__()
        self._functions.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._functions.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)
        self.events, self.reserved = in_blocks(self.events)

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Add what a CUDA kernel keeps, or holds while it runs, beyond the CPU's."""
        masked = kwargs.get("attn_mask") is not None
        if func._schema.name == _FORWARD:
            # out[1] is the log-sum-exp, which lives as long as the bytes that the kernel keeps beside it.
            for size in kept_by_attention(args[0], masked=masked):
                self._hold(size, out[1])
            self._hold(held_by_attention(args[0], masked=masked))
        elif func._schema.name == _SAFE_SOFTMAX:
            self._hold(out.nbytes + out.numel())  # the plain softmax, and a byte a score for the mask
        elif func._schema.name == _BACKWARD:
            # args[0] is the output's gradient, then queries and keys.
            self._hold(held_by_attention_backward(args[1], args[2], masked=masked))

    def _hold(self, size: int, tensor: Tensor | None = None) -> None:
        """Count `size` bytes as long as `tensor` lives; without a tensor, for a moment only."""
        number = self._appear(size)
        if tensor is None:
            # Freed at once: it counts for the peak, but is gone after the operation.
            self.events.append((number, -size))
        else:
            weakref.finalize(tensor.untyped_storage(), lambda: self.events.append((number, -size)))


class CudaFunctions(TorchFunctionMode):
    """Makes functions that differ between CPU and CUDA behave on the CPU as they do on CUDA."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        as_on_cuda: Callable[..., Any] = _AS_ON_CUDA.get(func, func)
        return as_on_cuda(*args, **(kwargs or {}))


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not training or p == 0:
        return F.dropout(x, p, training, inplace)
    # Keeps a mask of bools on every device, as CUDA's kernel does; `F.dropout` would keep floats on a CPU.
    out: Tensor = torch.native_dropout(x, p, True)[0]
    return out


def _layer_norm(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    # CUDA's autocast casts the input, and the float32 copy is kept for the backward pass.
    return F.layer_norm(x.float() if torch.is_autocast_enabled(x.device.type) else x, *args, **kwargs)


def _attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
    # Asks which kernels `attention_kernel` allows, not which ones this machine has.
    if attn_mask is not None and torch.backends.cuda.mem_efficient_sdp_enabled():
        attn_mask = aligned_mask(attn_mask, attention_dtype(query))  # the copy, if any, is what attention keeps
    return attention_on_cuda(query, key, value, attn_mask=attn_mask, **options)


def _backward(loss: Tensor, **nothing: Any) -> None:
    # A mode is switched off while it handles a function, and `backward` recomputes checkpointed layers. So the engine
    # that `backward` would call is called here, with the mode on again.
    with CudaFunctions():
        _engine_run_backward(
            (loss,), (torch.ones_like(loss),), False, False, (), allow_unreachable=True, accumulate_grad=True
        )


def aligned_mask(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask as numbers of `dtype` whose rows begin at multiples of eight; the same tensor where they do."""
    if mask.dtype == torch.bool:
        mask = torch.where(mask, 0.0, torch.scalar_tensor(-math.inf, dtype=dtype, device=mask.device))
    mask = mask.to(dtype)
    if all(stride % 8 == 0 for stride in mask.stride()[:-1]):
        return mask
    width = mask.shape[-1]
    # A view of a wider tensor: its rows begin at multiples of eight, and the count sees the wider storage.
    return F.pad(mask, (0, 8 - width % 8))[..., :width]


_AS_ON_CUDA: dict[Any, Callable[..., Any]] = {
    F.dropout: _dropout,
    F.layer_norm: _layer_norm,
    F.scaled_dot_product_attention: _attention,
    Tensor.backward: _backward,
}
