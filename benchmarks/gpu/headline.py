"""Fourteen vanilla layers against thirty multi-scale ones, on equal tokens of one text. A part of `benchmarks.gpu`.

Both train on the same windows in the same order with the same settings, for as many steps as the time allows both;
then each is judged on the same validation tokens, from the last 2 % of the file. One seed, one learning rate: a check
that the claim holds here too, not a study.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.data.batches import training_batch
from msarch.data.token_set import TokenSet
from msarch.memory.profile import profile_training_step
from msarch.training.evaluation import evaluate
from msarch.training.schedule import learning_rate
from msarch.training.step import make_optimizer, set_learning_rate, training_step

MODELS = (("vanilla", "14@1"), ("top_down", "12@16 12@4 6@1"))
_TRIAL_STEPS = 4


@dataclass(frozen=True)
class Headline:
    """The outcome of one model.

    Attributes:
        tokens: training tokens.
        step_seconds: median of a training step.
        memory_predicted, memory_measured: bytes; measured on a GPU only, as the peak of its own steps.
    """

    variant: str
    layers: str
    parameters: int
    tokens: int
    perplexity: float
    step_seconds: float
    memory_predicted: int
    memory_measured: int | None


class Run:
    """One of the two models in training."""

    def __init__(self, config: ModelConfig, training: TrainingConfig, device: str) -> None:
        torch.manual_seed(0)
        self.config, self.training, self.device = config, training, device
        self.model = build_model(config).to(device)
        self.optimizer = make_optimizer(self.model, training)
        self.seconds: list[float] = []

    def step(self, tokens: NDArray[Any], number: int, steps: int) -> None:
        """Update `number` of `steps`."""
        began = time.perf_counter()
        set_learning_rate(self.optimizer, learning_rate(self.training, number, steps))
        size, context = self.training.batch_size, self.config.context
        batch = training_batch(tokens, seed=0, step=number, batch_size=size, context=context)
        inputs, targets = (torch.from_numpy(part).to(self.device) for part in batch)
        training_step(self.model, self.optimizer, inputs, targets, self.training).item()
        self.seconds.append(time.perf_counter() - began)


def read_tokens(file: Path) -> NDArray[Any]:
    """The tokens of a .npy file, or of a file of bare uint16. Raises ValueError where they are too few."""
    tokens = np.load(file, mmap_mode="r") if file.suffix == ".npy" else np.memmap(file, dtype="<u2", mode="r")
    if tokens.ndim != 1 or len(tokens) < 100_000 or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(f"{file}: {tokens.shape} {tokens.dtype}; a row of at least 100,000 whole numbers is needed")
    return tokens


def token_set(tokens: NDArray[Any], vocab_size: int) -> TokenSet:
    """The file's first 98 % for training, the rest for validation."""
    cut = len(tokens) - len(tokens) // 50
    validation = tokens[cut:]
    return TokenSet(
        train=tokens[:cut],
        validation=validation,
        test=None,
        vocab_size=vocab_size,
        fingerprint="",
        content="",
        token_bytes=None,
        folder=Path(),
        text_bytes={"validation": len(validation)},
    )


def compare(
    tokens: NDArray[Any],
    *,
    device: str,
    seconds: float,
    d_model: int = 512,
    context: int = 512,
    steps: int | None = None,
    **training: Any,
) -> list[Headline]:
    """Train both for about `seconds` in all, or for so many steps each, and judge them."""
    data = token_set(tokens, int(tokens.max()) + 1)
    usual: dict[str, Any] = {"batch_size": 32, "learning_rate": 1e-3, "dtype": "bfloat16"}
    settings = TrainingConfig(**usual | training)
    common: dict[str, Any] = {"d_model": d_model, "n_heads": d_model // min(64, d_model)}
    common |= {"vocab_size": data.vocab_size, "context": context}
    configs = [ModelConfig(variant=variant, layers=layers, **common) for variant, layers in MODELS]
    steps = steps or _steps_within(seconds, configs, settings, device, data)
    return [_train(config, settings, device, data, steps) for config in configs]


def _steps_within(
    seconds: float, configs: list[ModelConfig], training: TrainingConfig, device: str, data: TokenSet
) -> int:
    """Of each model; trying it out warms the kernels too."""
    a_pair = 0.0
    for config in configs:
        warm = Run(config, training, device)
        for number in range(_TRIAL_STEPS):
            warm.step(data.train, number, _TRIAL_STEPS)
        seconds -= sum(warm.seconds)
        a_pair += median(warm.seconds[2:])
        del warm
    return max(10, int(0.9 * seconds / a_pair))


def _train(config: ModelConfig, training: TrainingConfig, device: str, data: TokenSet, steps: int) -> Headline:
    before = 0
    if device == "cuda":
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    run = Run(config, training, device)
    for number in range(steps):
        run.step(data.train, number, steps)
    measured = torch.cuda.max_memory_allocated() - before if device == "cuda" else None
    targets = min(200_000, len(data.validation) - 1)
    profile = profile_training_step(config, training, device=device)
    return Headline(
        variant=config.variant,
        layers=config.layers,
        parameters=profile.parameter_count,
        tokens=steps * training.batch_size * config.context,
        perplexity=evaluate(run.model, data, training, targets=targets).perplexity,
        step_seconds=median(run.seconds),
        memory_predicted=profile.peak_bytes,
        memory_measured=measured,
    )


def rows(found: list[Headline]) -> list[str]:
    """A line for each model, and one that compares them."""
    vanilla, other = found
    ratios = (other.perplexity / vanilla.perplexity, memory(other) / memory(vanilla))
    times = other.step_seconds / vanilla.step_seconds
    compared = f"  thirty over fourteen layers: perplexity {ratios[0]:.3f}, memory {ratios[1]:.3f}, time {times:.3f}"
    return [*(_row(each) for each in found), compared]


def _row(each: Headline) -> str:
    return (
        f"  {each.variant:9s} {each.layers:15s} {each.parameters / 1e6:6.1f}M parameters  "
        f"{each.tokens / 1e6:7.2f}M tokens  perplexity {each.perplexity:8.2f}  {memory(each) / 2**20:8.0f} MiB  "
        f"{each.step_seconds * 1000:7.1f} ms a step"
    )


def memory(each: Headline) -> int:
    """Measured bytes, else the predicted ones."""
    return each.memory_measured if each.memory_measured is not None else each.memory_predicted


def to_json(found: list[Headline]) -> list[dict[str, Any]]:
    """Plain values."""
    return [asdict(each) for each in found]
