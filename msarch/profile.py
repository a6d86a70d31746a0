"""The memory of one training step, known before any training and without the hardware.

The step that would be trained runs once on fake tensors, which have shapes, types and lifetimes but no
data, while every storage alive is counted. The result is the true peak, split by what the bytes are for. The same
count on real tensors is its own check.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from msarch.candidate import Candidate
from msarch.config import ModelConfig, TrainingConfig
from msarch.cuda_memory import CudaStorages
from msarch.flops import LinearFlops, training_flops
from msarch.language_model import LanguageModel
from msarch.live_storages import LiveStorages
from msarch.model import model_class
from msarch.step import make_optimizer, training_step

KINDS = ("parameters", "gradients", "optimizer", "activations", "loss", "temporaries")


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryProfile:
    """What one training step needs.

    Attributes:
        peak_bytes: the largest number of bytes alive at once; the six kinds below add up to it.
        parameters, gradients, optimizer: bytes of each at the peak.
        activations: bytes kept from the forward pass, the input tokens included.
        loss: bytes that the loss keeps for the backward pass: logits where it is full, gradients where chunked.
        temporaries: bytes alive at the peak that are none of these.
        peak_phase: "forward", "loss", "backward" or "optimizer".
        peak_operation: the operation after which the peak stood.
        kernel: the attention kernel that ran: "fused" or "unfused".
        flops: floating-point operations of the step's matrix products, attention counted by attended pairs.
        parameter_count: all parameters; `embedding_count` of them are token and position embeddings.
    """

    peak_bytes: int
    parameters: int
    gradients: int
    optimizer: int
    activations: int
    loss: int
    temporaries: int
    peak_phase: str
    peak_operation: str
    kernel: str
    flops: int
    parameter_count: int
    embedding_count: int


def profile_training_step(model: ModelConfig, training: TrainingConfig, *, device: str = "cpu") -> MemoryProfile:
    """The memory of one step of `training.batch_size` sequences of the full context, from fake tensors.

    `device="cuda"` counts what CUDA's kernels and its allocator hold instead, see `msarch.cuda_memory`; no GPU is
    needed for either.
    """
    return _cached(model, _relevant(training), device.startswith("cuda"))


def count_training_step(model: ModelConfig, training: TrainingConfig) -> MemoryProfile:
    """The same figures from a real step on real tensors, to check the prediction against."""
    return _measure(model, training, nullcontext(), LiveStorages())


def _relevant(training: TrainingConfig) -> TrainingConfig:
    """What memory depends on; the rest at fixed values, so that one profile serves all learning rates."""
    return TrainingConfig(
        batch_size=training.batch_size,
        clip=1.0 if training.clip else 0.0,
        attention=training.attention,
        loss=training.loss,
        dtype=training.dtype,
        optimizer=training.optimizer,
        checkpointing=training.checkpointing,
    )


@lru_cache(maxsize=4096)
def _cached(model: ModelConfig, training: TrainingConfig, cuda: bool) -> MemoryProfile:
    return _measure(model, training, FakeTensorMode(), CudaStorages() if cuda else LiveStorages())


def _measure(
    config: ModelConfig, training: TrainingConfig, tensors: AbstractContextManager[object], live: LiveStorages
) -> MemoryProfile:
    with tensors:
        model = model_class(config.variant)(config)
        optimizer = make_optimizer(model, training)
        _fill_optimizer_state(model, optimizer)
        # Two separate tensors: inputs and targets of a batch are copied to the device one by one.
        inputs, targets = (torch.zeros(training.batch_size, config.context, dtype=torch.int64) for _ in range(2))
        with live, LinearFlops(model) as linear:
            kinds = {"parameters": live.see(model.parameters()), "optimizer": live.see(_state_tensors(optimizer))}
            kinds["activations"] = live.see([inputs, targets])
            begin = len(live.events)

            def watch(phase: str) -> None:
                live.phase = phase
                linear.phase = phase

            training_step(model, optimizer, inputs, targets, training, watch)
            kinds["gradients"] = live.see(p.grad for p in model.parameters() if p.grad is not None)
    return _summary(config, training, model, live, kinds, begin, linear)


def _fill_optimizer_state(model: LanguageModel, optimizer: torch.optim.Optimizer) -> None:
    """An update with empty gradients, so that the measured step meets the state that all but the first meet."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _state_tensors(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]


def _summary(
    config: ModelConfig,
    training: TrainingConfig,
    model: LanguageModel,
    live: LiveStorages,
    kinds: dict[str, list[int]],
    begin: int,
    linear: LinearFlops,
) -> MemoryProfile:
    numbers, sizes = (np.array(column, dtype=np.int64) for column in zip(*live.events, strict=True))
    totals = sizes.cumsum()
    peak = begin + int(totals[begin:].argmax())
    alive = np.zeros(len(live.storage_phase), dtype=np.int64)
    np.add.at(alive, numbers[: peak + 1], sizes[: peak + 1])
    bytes_of = dict.fromkeys(KINDS, 0)
    kind_of = _kinds_of_storages(live, kinds, numbers, sizes)
    for number in alive.nonzero()[0].tolist():
        bytes_of[kind_of[number]] += int(alive[number])
    phase, operation = next(
        (phase, name) for count, phase, name in live.operations if count > peak and phase != "setup"
    )
    embedding = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding))
    return MemoryProfile(
        peak_bytes=int(totals[peak]),
        **bytes_of,
        peak_phase=phase,
        peak_operation=operation,
        kernel=_kernel_that_ran(live, training.attention),
        flops=training_flops(model, training, linear),
        parameter_count=sum(p.numel() for p in model.parameters()),
        embedding_count=embedding,
    )


def _kinds_of_storages(
    live: LiveStorages, kinds: dict[str, list[int]], numbers: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any]
) -> dict[int, str]:
    """What each storage was for: known ones by name, kept ones by the phase that made them, others temporary."""
    kind_of = {number: kind for kind, known in kinds.items() for number in known}
    first_backward = next(count for count, phase, _ in live.operations if phase == "backward")
    ends = {int(n): i for i, (n, s) in enumerate(zip(numbers, sizes, strict=True)) if s < 0}
    kept = {"forward": "activations", "loss": "loss"}
    for number, phase in enumerate(live.storage_phase):
        outlives = ends.get(number, len(numbers)) >= first_backward
        kind_of.setdefault(number, kept.get(phase, "temporaries") if outlives else "temporaries")
    return kind_of


def _kernel_that_ran(live: LiveStorages, asked: str) -> str:
    names = [name for _, phase, name in live.operations if phase == "forward"]
    fused = any("_scaled_dot_product" in name and "math" not in name for name in names)
    ran = "fused" if fused else "unfused"
    if ran != asked:
        raise RuntimeError(f"{asked} attention was asked for, but the {ran} kernel ran")
    return ran


def profile_candidate(candidate: Candidate, *, device: str = "cpu") -> dict[str, Any]:
    """The figures of a candidate that are known before training, by the names they have in tables."""
    model, training = candidate.model, candidate.training
    profile = profile_training_step(model, training, device=device)
    unfused = profile_training_step(model, replace(training, attention="unfused"), device=device)
    return {
        "memory_bytes": profile.peak_bytes,
        "memory_unfused_bytes": unfused.peak_bytes,
        "cache_bytes": cache_bytes(model, training),
        "parameters": profile.parameter_count,
        "parameters_embedding": profile.embedding_count,
        "flops_per_token": profile.flops / (training.batch_size * model.context),
        "memory_by_kind": {kind: getattr(profile, kind) for kind in KINDS},
        "peak_phase": profile.peak_phase,
        "peak_operation": profile.peak_operation,
    }


def cache_bytes(model: ModelConfig, training: TrainingConfig) -> int:
    """Bytes of keys and values that generation keeps for one sequence at full context."""
    with FakeTensorMode():
        states = model_class(model.variant)(model).cached_states(model.context)
    return states * 2 * model.d_model * (2 if training.dtype == "bfloat16" else 4)
