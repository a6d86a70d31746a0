"""What is known of CUDA's memory without a GPU: each rule on tensors, and that the whole hangs together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.small_models import small, training_of, windows

from msarch import ModelConfig, TrainingConfig
from msarch.memory.cuda_kernels import aligned_mask
from msarch.memory.profile import profile_training_step

BF16 = torch.bfloat16


def test_masks_whose_rows_begin_anywhere_are_copied_and_others_are_not() -> None:
    even, odd = torch.zeros(1, 1, 8, 24), torch.zeros(1, 1, 8, 21)
    assert aligned_mask(even, torch.float32) is even
    copied = aligned_mask(odd, torch.float32)
    assert copied.shape == odd.shape and copied.untyped_storage().nbytes() == 4 * 8 * 24
    visible = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()
    numbers = aligned_mask(visible, BF16)
    assert numbers.dtype == BF16 and torch.equal(numbers == 0, visible) and numbers[~visible].isinf().all()


VARIANTS = [
    small("vanilla", "3@1", context=64),
    small("top_down", "1@16 2@4 1@1", context=64),
    small("bottom_up", "1@1 1@4 2@16 1@1", context=64),
    small("retina", "2@1", context=64, **windows(8, 2)),
    small("hourglass", "1@1 2@3 1@1", context=64),
]


@pytest.mark.parametrize(
    ("model", "dtype", "checkpointing"),
    [  # each model under one of the two conditions; under the other with `make test-slow`
        pytest.param(
            model,
            *conditions,
            marks=[] if (row + column) % 2 else pytest.mark.slow,
            id=f"{model.variant} / {' '.join(conditions)}",
        )
        for row, model in enumerate(VARIANTS)
        for column, conditions in enumerate([("float32", "none"), ("bfloat16", "block")])
    ],
)
def test_a_step_on_cuda_takes_about_what_it_takes_on_the_cpu(
    model: ModelConfig, dtype: str, checkpointing: str
) -> None:
    """Other kernels and whole blocks, but no other order of magnitude; and the kinds still add up."""
    model = replace(model, d_model=128, dropout=0.1, vocab_size=512)
    training = training_of(8, dtype=dtype, checkpointing=checkpointing)
    cpu, cuda = (profile_training_step(model, training, device=device) for device in ("cpu", "cuda"))
    assert 0.8 * cpu.peak_bytes < cuda.peak_bytes < 1.5 * cpu.peak_bytes
    assert cuda.flops == cpu.flops and cuda.parameters >= cpu.parameters
    kinds = ("parameters", "gradients", "optimizer", "activations", "loss", "temporaries")
    assert sum(getattr(cuda, kind) for kind in kinds) == cuda.peak_bytes


def test_a_dropout_mask_is_a_byte_a_number() -> None:
    """Two residual branches in each of three layers: noise of four bytes on the CPU, a mask of one on CUDA."""
    model = small("vanilla", "3@1", context=64, d_model=128, vocab_size=64)
    training = TrainingConfig(batch_size=32, loss="chunked")
    kept = {}
    for device in ("cpu", "cuda"):
        with_, without = (
            profile_training_step(replace(model, dropout=share), training, device=device).activations
            for share in (0.1, 0.0)
        )
        kept[device] = with_ - without
    numbers = (3 * 2 - 1) * 32 * 64 * 128  # the peak stands where the last branch has given its own back
    assert kept["cpu"] == 4 * numbers and kept["cuda"] == pytest.approx(numbers, rel=0.02)


def test_unfused_attention_differs_by_blocks_and_what_its_softmax_holds() -> None:
    model = small("vanilla", "3@1", context=64, d_model=128)
    training = TrainingConfig(batch_size=8, attention="unfused")
    cpu, cuda = (profile_training_step(model, training, device=device).peak_bytes for device in ("cpu", "cuda"))
    assert cpu <= cuda < 1.05 * cpu
    checkpointed = replace(training, checkpointing="block")
    cpu, cuda = (profile_training_step(model, checkpointed, device=device).peak_bytes for device in ("cpu", "cuda"))
    scores = 8 * 2 * 64 * 64
    assert cpu <= cuda < 1.05 * cpu + 5 * scores


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU: none here, nothing was compared")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_gpu_measures_what_is_predicted(dtype: str) -> None:
    from benchmarks.gpu.memory import cuda_peak

    model = small("top_down", "4@4 4@1", context=512, d_model=512, n_heads=8, vocab_size=16_384)
    training = training_of(8, dtype=dtype)
    predicted = profile_training_step(model, training, device="cuda").peak_bytes
    assert cuda_peak(model, training) == pytest.approx(predicted, rel=0.05)
