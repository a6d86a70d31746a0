"""Runs one training step, on fake tensors or on real ones, and logs every storage that lives in it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from msarch.config import ModelConfig, TrainingConfig
from msarch.memory.flops import LinearFlops, training_flops
from msarch.memory.live_storages import LiveStorages
from msarch.memory.module_places import TOKENS, Place, Places
from msarch.models.build import model_class
from msarch.models.language_model import LanguageModel
from msarch.training.step import make_optimizer, training_step


@dataclass(frozen=True)
class MeasuredStep:
    """The log of one step.

    Attributes:
        live: every storage, event and operation; its first `begin` events are what the step finds.
        kinds: the numbers of the storages whose purpose is known by name.
        places: the places of the model by path, in the order of computation.
        flops: of the step's matrix products.
        attended_pairs: of one sequence of the full context.
        parameter_count: all parameters; `embedding_count` of them are embeddings.
    """

    live: LiveStorages
    begin: int
    kinds: dict[str, list[int]]
    places: dict[str, Place]
    flops: int
    attended_pairs: int
    parameter_count: int
    embedding_count: int


def measure_step(
    config: ModelConfig, training: TrainingConfig, tensors: AbstractContextManager[object], live: LiveStorages
) -> MeasuredStep:
    """Build the model inside `tensors`, run one step, and log it in `live`."""
    with tensors:
        model = model_class(config.variant)(config)
        optimizer = make_optimizer(model, training)
        _fill_optimizer_state(model, optimizer)
        # Two separate tensors: inputs and targets of a batch are copied to the device one by one.
        batch = [torch.zeros(training.batch_size, config.context, dtype=torch.int64) for _ in range(2)]
        with live, LinearFlops(model) as linear, Places(model, live) as places:
            owners = {id(p): places.of_parameter(name) for name, p in model.named_parameters()}
            kinds = {"parameters": _see(live, ((owners[id(p)], p) for p in model.parameters()))}
            kinds["optimizer"] = _see(live, ((owners[id(p)], each) for p, each in _state(optimizer)))
            kinds["activations"] = _see(live, ((TOKENS, each) for each in batch))
            begin = len(live.events)

            def watch(phase: str) -> None:
                linear.phase = phase
                places.phase(phase)

            training_step(model, optimizer, batch[0], batch[1], training, watch)
            kinds["gradients"] = _see(live, ((owners[id(p)], p.grad) for p in model.parameters() if p.grad is not None))
    names = places.names()
    return MeasuredStep(
        live=live,
        begin=begin,
        kinds=kinds,
        places=names | {path: places.place(path) for path in owners.values() if path not in names},
        flops=training_flops(model, training, linear),
        attended_pairs=model.attended_pairs(config.context),
        parameter_count=sum(p.numel() for p in model.parameters()),
        embedding_count=sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding)),
    )


def _see(live: LiveStorages, tensors: Iterable[tuple[str, Tensor]]) -> list[int]:
    """Count tensors that belong to places, whichever place made them; their storages' numbers."""
    numbers = []
    for place, tensor in tensors:
        numbers += live.see([tensor])
        live.storage_place[numbers[-1]] = place
    return numbers


def _fill_optimizer_state(model: LanguageModel, optimizer: torch.optim.Optimizer) -> None:
    """An update with empty gradients, so that the measured step meets the state that all but the first meet."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _state(optimizer: torch.optim.Optimizer) -> Iterable[tuple[Tensor, Tensor]]:
    """Each parameter with each tensor that the optimizer keeps for it."""
    for parameter, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor):
                yield parameter, value
