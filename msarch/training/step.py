"""One training step: the same code trains and is profiled.

Everything that affects memory or numerics is here: the attention kernel, autocast, the loss, checkpointing,
gradient clipping, the optimizer. The trainer runs it on real tensors, the profiler on fake ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from msarch.config import TrainingConfig
from msarch.layers.attention import attention_kernel
from msarch.layers.transformer_layer import Recomputable
from msarch.layers.widths import width_read
from msarch.models.language_model import LanguageModel
from msarch.training.adamw import AdamW
from msarch.training.loss import chunked_loss, full_loss

LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"full": full_loss, "chunked": chunked_loss}


def make_optimizer(model: LanguageModel, training: TrainingConfig) -> AdamW:
    """Fused AdamW; weight decay acts on matrices, not on norms and biases.

    In muP (arXiv 2203.03466, table 8, for Adam) a matrix between states learns 1/m as fast, where m is the width ratio
    of the states that it reads, and decays m times as much, so that its decay a step is that of the base width. Each
    group holds its share of the learning rate as `lr_share`, which a schedule multiplies with.
    """
    for module in model.modules():
        if isinstance(module, Recomputable):
            module.checkpointing = training.checkpointing == "block"
    linears = (module for module in model.modules() if isinstance(module, nn.Linear))
    ratios = {id(linear.weight): model.config.width_ratio_of(width_read(linear)) for linear in linears}
    hidden: dict[float, list[Tensor]] = {}
    rest: list[Tensor] = []
    for parameter in model.parameters():
        ratio = ratios.get(id(parameter))
        (rest if ratio is None else hidden.setdefault(ratio, [])).append(parameter)
    groups: list[dict[str, Any]] = [
        *(
            {"params": alike, "weight_decay": training.weight_decay * ratio, "lr_share": 1 / ratio}
            for ratio, alike in hidden.items()
        ),
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": training.weight_decay, "lr_share": 1.0},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0, "lr_share": 1.0},
    ]
    for group in groups:
        group["lr"] = training.learning_rate * group["lr_share"]
    return AdamW(groups, betas=training.betas, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give each group its share of `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_share"]


def batch_loss(
    model: LanguageModel, inputs_BT: Tensor, targets_BT: Tensor, training: TrainingConfig, watch: Callable[[str], None]
) -> Tensor:
    """Mean loss of one batch in nats per token, as the configuration computes it."""
    with torch.autocast(inputs_BT.device.type, torch.bfloat16, enabled=training.dtype == "bfloat16"):
        watch("forward")
        features = model.features(inputs_BT)
        watch("loss")
        return LOSSES[training.loss](features, model.readout_weight, targets_BT)


def training_step(
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    inputs_BT: Tensor,
    targets_BT: Tensor,
    training: TrainingConfig,
    watch: Callable[[str], None] = lambda phase: None,
) -> Tensor:
    """One update; returns the loss before it, detached, in nats per token.

    `watch` is called with each phase as it begins: forward, loss, backward, optimizer, end.
    """
    optimizer.zero_grad(set_to_none=True)
    # Checkpointed layers run again inside the backward pass, so the kernel is chosen around both.
    with attention_kernel(training.attention):
        loss = batch_loss(model, inputs_BT, targets_BT, training, watch)
        watch("backward")
        loss.backward()
    watch("optimizer")
    if training.clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
    optimizer.step()
    watch("end")
    return loss.detach()
