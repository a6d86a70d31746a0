"""Next-token cross-entropy: over all logits at once, or in chunks that never hold them all.

With a large vocabulary the logits, their softmax and their gradient are three copies of
(batch x time x vocabulary): most of a small model's memory, and all of the difference between architectures.
The chunked loss computes the gradients of states and readout already in the forward pass, while it has a chunk's
logits. It takes the same number of matrix products and keeps no logits.

Shapes: N = batch x time positions, D d_model, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy, linear

_CHUNK_NUMBERS = 2**20  # logits in a chunk: 4 MiB in float32, small enough for a CPU's cache
_LEAST_ROWS = 128  # below this the matrix products of a large vocabulary run at half speed
_abridged = False


def full_loss(features_BTD: Tensor, weight_VD: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token, from all logits: (B, T, D), (V, D), (B, T) -> ()."""
    logits = linear(features_BTD, weight_VD).flatten(0, 1)
    return cross_entropy(logits.float() if logits.dtype == torch.bfloat16 else logits, targets_BT.flatten())


def chunked_loss(features_BTD: Tensor, weight_VD: Tensor, targets_BT: Tensor) -> Tensor:
    """The same value and gradients as `full_loss`, one chunk of logits at a time."""
    rows = chunk_rows(weight_VD.shape[0])
    loss: Tensor = _ChunkedCrossEntropy.apply(features_BTD.flatten(0, 1), weight_VD, targets_BT.flatten(), rows)
    return loss


def chunk_rows(vocab_size: int) -> int:
    """Positions whose logits are held at a time."""
    return max(_LEAST_ROWS, _CHUNK_NUMBERS // vocab_size)


@contextmanager
def abridged_chunks() -> Iterator[None]:
    """Within this context a chunked loss skips chunks that repeat the one before: right memory, wrong value.

    For profiles: from the third chunk on all allocate and free the same storages, and a large batch has thousands.
    """
    global _abridged
    _abridged = True
    try:
        yield
    finally:
        _abridged = False


def _starts(positions: int, rows: int) -> Sequence[int]:
    starts = range(0, positions, rows)
    # From the third on all are alike, but the last may be shorter.
    return [*starts[:3], starts[-1]] if _abridged and len(starts) > 4 else starts


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, rows: int) -> Tensor:
        positions = features_ND.shape[0]
        wants = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        device = features_ND.device.type
        # One cast here instead of one in each chunk; without autocast it is the tensor itself.
        narrow = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_VD.dtype
        weight = weight_VD.to(narrow)
        loss = features_ND.new_zeros((), dtype=_wide(features_ND.dtype))
        grad_features = torch.empty_like(features_ND) if wants else None
        grad_weight = torch.zeros_like(weight_VD) if wants else None
        with torch.autocast(device, enabled=False):
            for start in _starts(positions, rows):
                here = slice(start, start + rows)
                states, targets = features_ND[here].to(narrow), targets_N[here, None]
                logits = linear(states, weight).to(loss.dtype)
                # In place, because `logsumexp` allocates another chunk internally, which a profile does not see.
                logits -= logits.amax(dim=1, keepdim=True)
                chosen = logits.gather(1, targets)
                total = logits.exp_().sum(dim=1, keepdim=True)
                loss += (total.log() - chosen).sum()
                if grad_features is not None and grad_weight is not None:
                    # The gradient of the logits is softmax minus one-hot; the logits' own memory holds it.
                    grad = logits.div_(total).scatter_add_(1, targets, torch.full_like(total, -1.0))
                    grad = grad.div_(positions).to(narrow)
                    grad_features[here] = grad @ weight
                    _add_product(grad_weight, grad.T, states)
        if wants:
            ctx.save_for_backward(grad_features, grad_weight)
        return loss / positions

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_features, grad_weight = ctx.saved_tensors
        # In place: these two have no other user, and scaled copies of them would set the peak of the step.
        return grad_features.mul_(grad), grad_weight.mul_(grad), None, None


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """``total += left @ right``, without a second (V, D) tensor if the types agree: the largest of a small model."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
