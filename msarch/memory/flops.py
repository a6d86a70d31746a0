"""Floating-point operations of a training step: its matrix products, and attention by the pairs really attended.

Attention is counted by a formula, since torch's counter does not see fused attention on a CPU. A multiplication and an
addition are two operations; norms and activations are left out, as is usual.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from msarch.config import TrainingConfig
from msarch.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class StepFlops:
    """Operations of one step: of its forward pass alone, and of all of it, recomputed layers included."""

    forward: int
    total: int


class LinearFlops(ExitStack):
    """Adds up the linear layers of a model while they run, separately for each phase.

    In the backward phase only recomputed layers run forward: their second time is counted there.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.phase = "setup"
        self.by_phase: dict[str, int] = {}
        self._model = model

    def __enter__(self) -> Self:
        for module in self._model.modules():
            if isinstance(module, nn.Linear):
                self.enter_context(module.register_forward_hook(self._count))
        return self

    def _count(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Linear)
        flops = 2 * module.in_features * output.numel()
        self.by_phase[self.phase] = self.by_phase.get(self.phase, 0) + flops


def step_flops(model: LanguageModel, training: TrainingConfig, linear: LinearFlops) -> StepFlops:
    """Operations of the step in which `linear` counted."""
    config = model.config
    sequences, tokens = training.batch_size, training.batch_size * config.context
    # Two products, scores and their sum over values.
    attention = 4 * model.attention_products(config.context) * sequences
    readout = 2 * config.d_model * config.vocab_size * tokens
    forward = linear.by_phase.get("forward", 0) + attention + readout
    # The hooks count linear layers only, so recomputed attention follows from the option.
    recomputed = linear.by_phase.get("backward", 0) + (attention if training.checkpointing == "block" else 0)
    # Each product has two in the backward pass: for the gradients of its input and of its weight.
    return StepFlops(forward=forward, total=3 * forward + recomputed)
