"""Training speed in bfloat16, torch.compile on and off, and the share of the GPU's peak. A part of `benchmarks.gpu`.

Only the transformer layer is compiled, once for each length of sequence (torch calls it regional compilation): thirty
layers as one graph would take minutes. Embeddings, norms between layers and the chunked loss are not compiled.
Operations are those of `profile_training_step`: matrix products, attention by attended pairs, nothing for norms. Peaks
are for dense matrix products in bfloat16 without sparsity, as NVIDIA's data sheets give them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.memory.profile import profile_training_step
from msarch.training.compiling import compile_layers
from msarch.training.step import make_optimizer, training_step

PEAKS: tuple[tuple[str, float, str], ...] = (
    ("B200", 2250, "NVIDIA Blackwell data sheet, dense"),
    ("GH200", 989, "NVIDIA GH200 data sheet, dense"),
    ("H200", 989, "NVIDIA H200 data sheet, dense"),
    ("H100 NVL", 835, "NVIDIA H100 data sheet, dense"),
    ("H100 PCIe", 756, "NVIDIA H100 data sheet, dense"),
    ("H100", 989, "NVIDIA H100 data sheet, SXM, dense"),
    ("A100", 312, "NVIDIA A100 data sheet, dense"),
    ("A40", 149.7, "NVIDIA A40 data sheet, dense"),
    ("A30", 165, "NVIDIA A30 data sheet, dense"),
    ("A10", 125, "NVIDIA A10 data sheet, dense"),
    ("L40S", 362, "NVIDIA L40S data sheet, dense"),
    ("L4", 121, "NVIDIA L4 data sheet, dense"),
    ("RTX 4090", 165.2, "NVIDIA Ada architecture white paper, float32 sums"),
    ("RTX 3090", 71, "NVIDIA GA102 architecture white paper, float32 sums"),
)
"""GPU name as it begins after "NVIDIA", TFLOP/s, where the figure is from. The first whose name is found counts."""


@dataclass(frozen=True)
class Speed:
    """One model's training speed.

    Attributes:
        first_seconds: the first step, compilation included.
        step_seconds: median of the later ones.
        share: of the GPU's peak; None where that is not known.
    """

    variant: str
    layers: str
    compiled: bool
    batch_size: int
    first_seconds: float
    step_seconds: float
    tokens_per_second: float
    tflops: float
    share: float | None


def peak_of(name: str) -> tuple[float, str] | None:
    """TFLOP/s in bfloat16 of a GPU, and the source of that figure; None for an unknown GPU."""
    words = name.removeprefix("NVIDIA ").removeprefix("GeForce ")
    return next(((peak, source) for known, peak, source in PEAKS if words.startswith(known)), None)


def measure_speed(
    model: ModelConfig, training: TrainingConfig, *, device: str, backend: str | None, seconds: float
) -> Speed:
    """Train for `seconds` after the first step; `backend` of torch.compile, or None to compile nothing."""
    step = _stepper(model, training, device, backend)
    first = _timed(step)
    _timed(step)
    taken: list[float] = []
    end = time.monotonic() + seconds
    while len(taken) < 3 or time.monotonic() < end:
        taken.append(_timed(step))
    middle = median(taken)
    tflops = profile_training_step(model, training).flops / middle / 1e12
    peak = peak_of(torch.cuda.get_device_name()) if device == "cuda" else None
    return Speed(
        variant=model.variant,
        layers=model.layers,
        compiled=backend is not None,
        batch_size=training.batch_size,
        first_seconds=first,
        step_seconds=middle,
        tokens_per_second=training.batch_size * model.context / middle,
        tflops=tflops,
        share=tflops / peak[0] if peak else None,
    )


def _stepper(
    config: ModelConfig, training: TrainingConfig, device: str, backend: str | None
) -> Callable[[], torch.Tensor]:
    model = build_model(config).to(device)
    if backend is not None:
        compile_layers(model, backend)
    optimizer = make_optimizer(model, training)
    inputs, targets = torch.randint(config.vocab_size, (2, training.batch_size, config.context)).to(device)
    return lambda: training_step(model, optimizer, inputs, targets, training)


def _timed(step: Callable[[], torch.Tensor]) -> float:
    """Seconds of one step; reading its loss waits for the device."""
    began = time.perf_counter()
    step().item()
    return time.perf_counter() - began


def rows(found: list[Speed]) -> list[str]:
    """A line for each measurement."""
    return [
        f"  {each.variant:9s} {each.layers:15s} {'compiled' if each.compiled else 'eager':8s} "
        f"{each.tokens_per_second:10,.0f} tokens/s  {each.step_seconds * 1000:8.1f} ms a step  "
        f"{each.tflops:8.3g} TFLOP/s"
        + (f"  {each.share:.1%} of peak" if each.share is not None else "")
        + f"  first step {each.first_seconds:.1f} s"
        for each in found
    ]


def to_json(found: list[Speed]) -> list[dict[str, Any]]:
    """Plain values."""
    return [asdict(each) for each in found]
