"""The memory of one training step, known before any training and without the hardware.

The training step runs once on fake tensors, which have shapes, types and lifetimes but no data, while all live
storages are counted. The result is the true peak, split by the purpose of the bytes and by the part of the model that
they belong to. Counting on real tensors in the same way checks it.

Profiles are cached for the life of the process, by everything that memory depends on. Not on disk: a profile takes a
second at most, and one from another version of this code or of torch could be wrong.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from functools import lru_cache

from torch._subclasses.fake_tensor import FakeTensorMode

from msarch.config import ModelConfig, TrainingConfig
from msarch.errors import UserError
from msarch.memory.breakdown import Breakdown, Timeline
from msarch.memory.cuda_kernels import CudaStorages
from msarch.memory.live_storages import LiveStorages
from msarch.memory.memory_profile import MEMORY_KINDS, MemoryProfile, PeakShare
from msarch.memory.step_log import StepLog, log_step
from msarch.training.loss import abridged_chunks

__all__ = [
    "MEMORY_KINDS",
    "MemoryProfile",
    "PeakShare",
    "Timeline",
    "count_training_step",
    "memory_key",
    "profile_timeline",
    "profile_training_step",
]


_OVERFLOW = re.compile("overflow|too large|out of range")
"""In what torch says of a tensor whose size does not fit 64 bits."""


def profile_training_step(model: ModelConfig, training: TrainingConfig, *, device: str = "cpu") -> MemoryProfile:
    """The memory of one step of `training.batch_size` sequences of the full context, from fake tensors.

    `device="cuda"` counts what CUDA's kernels and its allocator hold instead, see
    `msarch.memory.cuda_kernels`; no GPU is needed for either.
    """
    return _cached(model, memory_key(training), device.startswith("cuda"))


def profile_timeline(model: ModelConfig, training: TrainingConfig, *, device: str = "cpu") -> Timeline:
    """Live bytes through that step, operation by operation. Of a chunked loss only the chunks that differ are run."""
    return Breakdown(_log_on_fake_tensors(model, training, device.startswith("cuda"))).timeline()


def count_training_step(model: ModelConfig, training: TrainingConfig) -> MemoryProfile:
    """The same figures from a real step on real tensors, to check the prediction against."""
    return _profile(log_step(model, training, nullcontext(), LiveStorages()), training)


def memory_key(training: TrainingConfig) -> TrainingConfig:
    """The options that memory depends on, all others at fixed values: one profile serves all learning rates."""
    return TrainingConfig(
        batch_size=training.batch_size,
        clip=1.0 if training.clip else 0.0,  # it matters whether gradients are clipped, not at which norm
        attention=training.attention,
        loss=training.loss,
        dtype=training.dtype,
        optimizer=training.optimizer,
        checkpointing=training.checkpointing,
    )


@lru_cache(maxsize=4096)
def _cached(model: ModelConfig, training: TrainingConfig, cuda: bool) -> MemoryProfile:
    return _profile(_log_on_fake_tensors(model, training, cuda), training)


def _log_on_fake_tensors(model: ModelConfig, training: TrainingConfig, cuda: bool) -> StepLog:
    try:
        with abridged_chunks():
            return log_step(model, training, FakeTensorMode(), CudaStorages() if cuda else LiveStorages())
    except (RuntimeError, OverflowError) as error:
        if not _OVERFLOW.search(str(error)):
            raise
        raise UserError(
            f"a training step of d_model {model.d_model}, vocab_size {model.vocab_size}, context {model.context} and "
            f"batch_size {training.batch_size} is larger than any machine; make them smaller"
        ) from None


def _profile(log: StepLog, training: TrainingConfig) -> MemoryProfile:
    profile = Breakdown(log).profile()
    if profile.kernel != training.attention:
        raise RuntimeError(f"{training.attention} attention was asked for, but the {profile.kernel} kernel ran")
    return profile
