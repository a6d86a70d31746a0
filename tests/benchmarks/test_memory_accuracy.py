"""The accuracy benchmark on a few small candidates: what it draws, and what the profiler's peak is made of."""

from __future__ import annotations

import random

import torch
from support.small_models import small

from benchmarks.memory_accuracy.candidates import CONDITIONS, Drawn, draw, shrink, vary_conditions
from benchmarks.memory_accuracy.command import compare, summary
from benchmarks.memory_accuracy.profiler_peak import profiler_peak
from msarch import TrainingConfig
from msarch.memory.profile import profile_training_step


def test_prediction_count_and_profiler_agree() -> None:
    model = small("hourglass", "1@1 2@3 1@1", dropout=0.1)
    drawn = Drawn("made up", model, TrainingConfig(batch_size=3, dtype="bfloat16", checkpointing="block"), ())
    found = compare(drawn)
    assert found.predicted == found.counted == found.profiled <= found.allocated
    assert summary([found]).row_count == 2


def test_the_profiler_sees_a_kernels_workspace_and_it_is_told_apart() -> None:
    """Mixed addition casts inside itself on the CPU; the chunked loss in bfloat16 adds up its gradient so."""
    model = small("vanilla", "1@1", vocab_size=4096)
    peak = profiler_peak(model, TrainingConfig(batch_size=1, dtype="bfloat16"))
    assert peak.allocated > peak.tensors and peak.operation.startswith("aten::")


def test_a_candidate_is_made_smaller_until_it_fits_and_keeps_its_layout() -> None:
    model = small("vanilla", "2@1", d_model=64, n_heads=4, vocab_size=8192)
    drawn = Drawn("made up", model, TrainingConfig(batch_size=16), ())
    bound = 4 * 2**20
    small_one = shrink(drawn, bound)
    assert profile_training_step(small_one.model, small_one.training).peak_bytes <= bound
    assert small_one.model.layers == model.layers and small_one.model.d_head == model.d_head
    assert small_one.training.batch_size == 1 and "batch" in small_one.shrunk


def test_conditions_vary_and_every_space_is_drawn_from() -> None:
    generator = random.Random(0)
    drawn = [vary_conditions(TrainingConfig(batch_size=1), generator) for _ in range(200)]
    assert len({tuple(getattr(each, name) for name in CONDITIONS) for each in drawn}) == 16
    first = next(iter(draw(1, 2**40)))
    assert first.space == "bottom_up" and first.shrunk == ()


def test_a_chunk_is_never_held_twice() -> None:
    """`logsumexp` would make another chunk of logits inside itself, which no count of tensors sees."""
    torch.set_num_threads(1)
    model = small("vanilla", "1@1", vocab_size=4096)
    peak = profiler_peak(model, TrainingConfig(batch_size=4))
    assert peak.allocated == peak.tensors
