"""The memory of a validation. It makes no gradients, but those of the last step and the optimizer's state still exist.

A training step usually needs more, but not always: with all logits held (`loss: full`) or with checkpointed layers, a
validation of twice the batch can need more than a step.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from msarch.config import ModelConfig, TrainingConfig
from msarch.memory.cuda_kernels import CudaStorages
from msarch.memory.live_storages import LiveStorages
from msarch.memory.profile import memory_key
from msarch.memory.step_log import optimizer_state
from msarch.models.build import model_class
from msarch.training.evaluation import VALIDATION_BATCHES, validation_loss
from msarch.training.step import make_optimizer


def profile_validation(model: ModelConfig, training: TrainingConfig, *, device: str = "cpu") -> int:
    """Peak bytes of validating one batch while the model is in training, from fake tensors."""
    # Without a backward pass nothing is recomputed and nothing is clipped.
    key = replace(memory_key(training), checkpointing="none", clip=0.0)
    return _cached(model, key, device.startswith("cuda"))


@lru_cache(maxsize=1024)
def _cached(config: ModelConfig, training: TrainingConfig, cuda: bool) -> int:
    live = CudaStorages() if cuda else LiveStorages()
    with FakeTensorMode():
        model = model_class(config.variant)(config)
        optimizer = make_optimizer(model, training)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()  # AdamW allocates its state in the first update
        shape = (VALIDATION_BATCHES * training.batch_size, config.context)
        inputs, targets = (torch.zeros(shape, dtype=torch.int64) for _ in range(2))
        state = [tensor for _, tensor in optimizer_state(optimizer)]
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        with live:
            live.see([*model.parameters(), *gradients, *state, inputs, targets])
            validation_loss(model.eval(), inputs, targets, training)
    return max(accumulate(size for _, size in live.events))
