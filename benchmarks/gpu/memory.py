"""Predicted memory against `torch.cuda.max_memory_allocated`, for models of 10 to 500 million parameters.

A part of `benchmarks.gpu`, and of `benchmarks.memory_accuracy` where there is a GPU. Each candidate trains two steps to
fill the optimizer's state; the peak of the third one is compared. What the process holds before the model (cuBLAS's
workspaces) is subtracted. Some versions of torch also take cuBLAS memory for the length of one call: that is measured
and added to the prediction.

On the CPU, which only tries out the code, a count on real tensors takes the place of the measurement.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import torch
from torch.nn.functional import linear

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.config import MODEL_CHOICES, TRAINING_CHOICES
from msarch.config.variants import VARIANTS
from msarch.errors import UserError
from msarch.memory.profile import count_training_step, profile_training_step
from msarch.training.device import allocated_without_model
from msarch.training.step import make_optimizer, training_step

LEAST, MEDIAN, LARGEST = 40, 0.02, 0.05
"""How many candidates the claim needs, and the largest error of their predictions."""
PARAMETERS = (10_000_000, 500_000_000)
LAYERS = {
    "vanilla": ("4@1", "8@1", "14@1", "24@1"),
    "top_down": ("6@4 4@1", "12@16 9@4 9@1", "12@16 12@4 6@1", "22@4 8@1"),
    "bottom_up": ("2@1 6@4 2@1", "4@1 9@4 12@16 5@1", "3@1 12@4 12@16 3@1"),
    "retina": ("4@1", "8@1", "14@1"),
    "hourglass": ("2@1 8@3 2@1", "4@1 8@4 4@1", "2@1 1@2 4@4 1@2 2@1"),
}
CONDITIONS = ("attention", "loss", "dtype", "checkpointing")


@dataclass(frozen=True)
class Measured:
    """One candidate's peak in bytes, predicted and measured; `measured` is None where the GPU's memory ran out."""

    model: ModelConfig
    training: TrainingConfig
    parameters: int
    predicted: int
    measured: int | None

    @property
    def error(self) -> float:
        """How far the prediction is above what was measured, as a share of that."""
        return self.predicted / self.measured - 1 if self.measured else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        conditions = {name: getattr(self.training, name) for name in ("batch_size", *CONDITIONS)}
        figures = {"parameters": self.parameters, "predicted": self.predicted, "measured": self.measured}
        return {"model": asdict(self.model), **conditions, **figures}


def draw_for_gpu(count: int = 60, *, most_bytes: int | None = None, seed: int = 0) -> Iterator[Measured]:
    """Candidates of all variants in turn, predicted and not yet measured; those above `most_bytes` are left out."""
    generator = random.Random(seed)
    drawn = 0
    while drawn < count:
        variant = list(LAYERS)[drawn % len(LAYERS)]
        model, training = _draw_model(variant, generator), _draw_training(generator)
        if not PARAMETERS[0] <= _parameters(model) <= PARAMETERS[1]:
            continue
        profile = profile_training_step(model, training, device="cuda")
        if most_bytes is not None and profile.peak_bytes > most_bytes:
            continue
        drawn += 1
        yield Measured(model, training, profile.parameter_count, profile.peak_bytes, None)


def draw_tiny(seed: int = 0) -> Iterator[Measured]:
    """One small candidate of each variant, predicted for the CPU."""
    generator = random.Random(seed)
    for variant, layers in LAYERS.items():
        model = replace(_draw_model(variant, generator), layers=layers[0], d_model=32, n_heads=2, vocab_size=512)
        training = replace(_draw_training(generator), batch_size=2)
        profile = profile_training_step(replace(model, context=64), training)
        yield Measured(replace(model, context=64), training, profile.parameter_count, profile.peak_bytes, None)


def measure_all(drawn: Iterable[Measured], *, seconds: float, device: str = "cuda") -> list[Measured]:
    """The candidates with their measured peaks, as many as `seconds` allow."""
    end = time.monotonic() + seconds
    extra = _warm_up() if device == "cuda" else 0
    found = []
    for each in drawn:
        if device != "cuda":
            found.append(replace(each, measured=count_training_step(each.model, each.training).peak_bytes))
        else:
            peak = cuda_peak(each.model, each.training)
            found.append(replace(each, predicted=each.predicted + extra, measured=peak))
        if time.monotonic() > end:
            break
    return found


def cuda_peak(config: ModelConfig, training: TrainingConfig) -> int | None:
    """Peak bytes of the third training step on the GPU above what was allocated before; None where memory ran out."""
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    try:
        _run_steps(config, training)
        return torch.cuda.max_memory_allocated() - before
    except torch.OutOfMemoryError:
        return None


def _run_steps(config: ModelConfig, training: TrainingConfig) -> None:
    model = build_model(config).to("cuda")
    optimizer = make_optimizer(model, training)
    for step in range(3):
        batch = torch.randint(config.vocab_size, (2, training.batch_size, config.context))
        inputs, targets = (part.to("cuda") for part in batch)
        if step == 2:
            torch.cuda.reset_peak_memory_stats()
        training_step(model, optimizer, inputs, targets, training)
    torch.cuda.synchronize()


def _warm_up() -> int:
    """Make cuBLAS take its workspaces. Returns the bytes that it still takes for the length of a call."""
    allocated_without_model()
    taken = 0
    for dtype in (torch.float32, torch.bfloat16):
        weight, bias = (torch.ones(shape, device="cuda", dtype=dtype) for shape in ((64, 64), (64,)))
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        linear(weight, weight, bias)
        taken = max(taken, torch.cuda.max_memory_allocated() - before - weight.nbytes)
    return taken


def _draw_model(variant: str, generator: random.Random) -> ModelConfig:
    d_model = generator.choice((256, 384, 512, 640, 768, 1024))
    options: dict[str, Any] = {name: generator.choice(MODEL_CHOICES[name]) for name in _options(variant)}
    if "retina_factors" in VARIANTS[variant].options:
        options |= {"retina_factors": (1, 4, 16), "retina_windows": generator.choice(((64, 16), (128, 32)))}
    common: dict[str, Any] = {
        "variant": variant,
        "layers": generator.choice(LAYERS[variant]),
        "d_model": d_model,
        "n_heads": d_model // 64,
        "vocab_size": generator.choice((8_000, 16_384, 30_000, 50_257)),
        "context": generator.choice((512, 768, 1024)),
        "dropout": generator.choice((0.0, 0.0, 0.1)),
    }
    try:
        return ModelConfig(**common, **options)
    except UserError:  # options that exclude each other
        return ModelConfig(**common, **{name: options[name] for name in options if name.startswith("retina")})


def _options(variant: str) -> list[str]:
    variants_only = {name for each in VARIANTS.values() for name in each.options}
    return [name for name in MODEL_CHOICES if name in VARIANTS[variant].options or name not in variants_only]


def _draw_training(generator: random.Random) -> TrainingConfig:
    drawn: dict[str, Any] = {name: generator.choice(TRAINING_CHOICES[name]) for name in CONDITIONS}
    return TrainingConfig(batch_size=generator.choice((2, 4, 8, 16, 32)), **drawn)


def _parameters(model: ModelConfig) -> int:
    """Roughly: twelve matrices of d x d a layer, and the embedding."""
    return 12 * model.n_layers * model.d_model**2 + model.vocab_size * model.d_model


def judge(found: Sequence[Measured]) -> tuple[str, bool]:
    """One sentence on how accurate the predictions are, and whether the claim holds."""
    errors = [abs(each.error) for each in found if each.measured]
    if not errors:
        return "memory: nothing was measured", False
    middle, largest = median(errors), max(errors)
    good = len(errors) >= LEAST and middle <= MEDIAN and largest <= LARGEST
    asked = f"claimed: {LEAST} or more, median at most {MEDIAN:.0%}, largest at most {LARGEST:.0%}"
    return f"memory: {len(errors)} candidates, median error {middle:.2%}, largest {largest:.2%} ({asked})", good


def rows(found: Sequence[Measured]) -> list[str]:
    """A line for each variant."""
    lines = []
    for variant in dict.fromkeys(each.model.variant for each in found):
        errors = [each.error for each in found if each.model.variant == variant and each.measured]
        if errors:
            spread = f"error {min(errors):+.2%} to {max(errors):+.2%}, median {median(map(abs, errors)):.2%}"
            lines.append(f"  {variant:12s} {len(errors):3d} candidates, {spread}")
    return lines
