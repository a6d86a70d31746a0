"""Runs one training step, on fake tensors or real ones, and logs every storage that is alive during it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from msarch.config import ModelConfig, TrainingConfig
from msarch.memory.flops import LinearFlops, StepFlops, step_flops
from msarch.memory.live_storages import LiveStorages
from msarch.memory.part_tracker import TOKENS, ModelPart, PartTracker
from msarch.models.build import model_class
from msarch.models.language_model import LanguageModel
from msarch.training.step import make_optimizer, training_step


@dataclass(frozen=True)
class StepLog:
    """What happened in one step.

    Attributes:
        live: every storage, event and operation.
        setup_events: how many of the first events count what exists before the step: model, optimizer and batch.
        known: numbers of the storages whose purpose is known by name, by kind of memory.
        parts: the parts of the model by path, in the order of computation.
        flops: of the step's matrix products.
        attended_pairs: of one sequence of the full context.
        parameter_count: all parameters; `embedding_count` of them are embeddings.
    """

    live: LiveStorages
    setup_events: int
    known: dict[str, list[int]]
    parts: dict[str, ModelPart]
    flops: StepFlops
    attended_pairs: int
    parameter_count: int
    embedding_count: int


def log_step(
    config: ModelConfig, training: TrainingConfig, tensors: AbstractContextManager[object], live: LiveStorages
) -> StepLog:
    """Build the model inside `tensors` (a fake tensor mode, or none for real ones), run one step, log it in `live`."""
    with tensors:
        # Without `initialise`: the values of parameters do not matter for memory.
        model = model_class(config.variant)(config)
        optimizer = make_optimizer(model, training)
        fill_optimizer_state(model, optimizer)
        # Two tensors, not two views of one: a trainer copies inputs and targets to the device one by one.
        inputs, targets = (torch.zeros(training.batch_size, config.context, dtype=torch.int64) for _ in range(2))
        with live, LinearFlops(model) as linear, PartTracker(model, live) as tracker:
            owners = {id(p): tracker.owner_of(name) for name, p in model.named_parameters()}
            # These exist before the step. Counted now, they are attributed by name, not to the first operation that
            # returns them.
            known = {
                "parameters": _count(live, ((owners[id(p)], p) for p in model.parameters())),
                "optimizer": _count(live, ((owners[id(p)], state) for p, state in optimizer_state(optimizer))),
                "activations": _count(live, ((TOKENS, tokens) for tokens in (inputs, targets))),
            }
            setup_events = len(live.events)

            def watch(phase: str) -> None:
                linear.phase = phase
                tracker.begin_phase(phase)

            training_step(model, optimizer, inputs, targets, training, watch)
            # Gradients were counted when the backward pass made them; this only finds their numbers.
            known["gradients"] = _count(
                live, ((owners[id(p)], p.grad) for p in model.parameters() if p.grad is not None)
            )
    parts = tracker.parts()
    return StepLog(
        live=live,
        setup_events=setup_events,
        known=known,
        # A parameter outside every called module (one of the model itself) is a part of its own.
        parts=parts | {path: tracker.describe(path) for path in owners.values() if path not in parts},
        flops=step_flops(model, training, linear),
        attended_pairs=model.attended_pairs(config.context),
        parameter_count=sum(p.numel() for p in model.parameters()),
        embedding_count=sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding)),
    )


def _count(live: LiveStorages, tensors: Iterable[tuple[str, Tensor]]) -> list[int]:
    """Count tensors as belonging to these parts, whatever part ran when they appeared. Returns their numbers."""
    numbers = []
    for part, tensor in tensors:
        numbers += live.see([tensor])
        live.storage_part[numbers[-1]] = part
    return numbers


def fill_optimizer_state(model: LanguageModel, optimizer: torch.optim.Optimizer) -> None:
    """Run an update with zero gradients: AdamW allocates its state in its first update, and later steps have it."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def optimizer_state(optimizer: torch.optim.Optimizer) -> Iterable[tuple[Tensor, Tensor]]:
    """Each parameter with each tensor that the optimizer keeps for it."""
    for parameter, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor):
                yield parameter, value
