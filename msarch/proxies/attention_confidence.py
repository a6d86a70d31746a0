"""How much attention prefers one key before any training: the largest weight of each query.

    A_h                         softmax_j( q_i . k_j / sqrt(K) + mask )        for each head h
    c_l                         mean over sequences, heads h and queries i of max_j A_hij
    attention_confidence        sum_l c_l            over all L attentions, those between scales included
    attention_confidence_mean   (1 / L) sum_l c_l

The softmax confidence of Serianni and Kalita 2023 (arXiv 2306.00288, section 4.2), there of bidirectional models; here
a query has the keys that it may read. With nearly equal scores a query of n keys counts 1 / n: at the start of training
this score mostly tells how many keys there are.

Fused kernels keep no weights, so they are computed again from queries and keys, some rows at a time. Nothing in a model
knows of it: every call of attention is seen on its way to torch.

Shapes: B batch, N and M positions of queries and keys, H heads, K width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

_SCORES = 2**22
"""Scores held at a time: 16 MiB in single precision."""


def largest_weights(
    q_BHNK: Tensor,
    k_BHMK: Tensor,
    v_BHMK: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
) -> Tensor:
    """(B, H, N): the largest weight of each query in ``scaled_dot_product_attention`` of the same arguments."""
    batch, heads, queries, width = q_BHNK.shape
    at_M = torch.arange(k_BHMK.shape[2], device=q_BHNK.device)
    rows = max(1, _SCORES // (batch * heads * len(at_M)))
    found = []
    for at_N in torch.arange(queries, device=q_BHNK.device).split(rows):
        scores = q_BHNK[:, :, at_N] @ k_BHMK.mT / math.sqrt(width)
        if is_causal:
            scores = scores.masked_fill(at_M > at_N[:, None], -math.inf)
        if attn_mask is not None:
            mask = attn_mask[..., at_N, :]
            scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
        found.append((scores.amax(dim=-1) - scores.logsumexp(dim=-1)).exp())
    return torch.cat(found, dim=2)


class AttentionConfidence(TorchFunctionMode):
    """Watches a model's forward pass: every attention in it, by the module that calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._hooks = ExitStack()
        self._running: list[str] = []
        self._found: dict[str, list[Tensor]] = {}

    def __enter__(self) -> Self:
        for name, module in self._model.named_modules():
            begin = module.register_forward_pre_hook(lambda *_, name=name: self._running.append(name))
            end = module.register_forward_hook(self._leave, always_call=True)
            for hook in (begin, end):
                self._hooks.enter_context(hook)
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._hooks.close()

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._running.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func is scaled_dot_product_attention:
            with torch.no_grad():
                self._note(largest_weights(*args, **kwargs))
        elif func is Tensor.softmax:  # attention with so few keys that no kernel is needed: they are its last axis
            self._note(out.detach().amax(dim=-1))
        return out

    def _note(self, largest: Tensor) -> None:
        # A module may attend several times, to a part of its queries at a time.
        self._found.setdefault(self._running[-1], []).append(largest.flatten().double())

    def scores(self) -> dict[str, float]:
        """`attention_confidence` and its mean; 0 for a model without any attention."""
        by_module = [torch.cat(parts).mean().item() for parts in self._found.values()]
        total = sum(by_module)
        return {"attention_confidence": total, "attention_confidence_mean": total / max(1, len(by_module))}
