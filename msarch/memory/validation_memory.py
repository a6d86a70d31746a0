"""The memory of a validation: it makes no gradients, but the last step's still stand beside the optimizer's state.

A step of training needs more as a rule. Not always: with all logits held (`loss: full`) or blocks checkpointed, twice
the batch without gradients can be the larger of the two.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from msarch.config import ModelConfig, TrainingConfig
from msarch.memory.cuda_kernels import CudaStorages
from msarch.memory.live_storages import LiveStorages
from msarch.models.build import model_class
from msarch.training.evaluation import validation_loss
from msarch.training.step import make_optimizer


@lru_cache(maxsize=1024)
def profile_validation(model: ModelConfig, training: TrainingConfig, *, device: str = "cpu") -> int:
    """Peak bytes of validating one batch while the model is in training, from fake tensors."""
    live = CudaStorages() if device.startswith("cuda") else LiveStorages()
    with FakeTensorMode():
        built = model_class(model.variant)(model)
        optimizer = make_optimizer(built, training)
        for parameter in built.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        shape = (2 * training.batch_size, model.context)
        inputs, targets = (torch.zeros(shape, dtype=torch.int64) for _ in range(2))
        state = [value for of in optimizer.state.values() for value in of.values() if isinstance(value, torch.Tensor)]
        gradients = [parameter.grad for parameter in built.parameters() if parameter.grad is not None]
        with live:
            live.see([*built.parameters(), *gradients, *state, inputs, targets])
            validation_loss(built.eval(), inputs, targets, training)
    total = peak = 0
    for _, size in live.events:
        total += size
        peak = max(peak, total)
    return peak
