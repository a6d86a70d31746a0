"""Does it take less time to turn adjacent pairs than halves? A training step of each, one after the other.

    python -m benchmarks.rotary_speed

Processor time and not wall-clock time, and the median of ratios of neighbouring steps: so other programs on the machine
matter little. About two minutes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.training.step import make_optimizer, training_step

MODELS: tuple[dict[str, Any], ...] = (
    {"variant": "vanilla", "layers": "4@1"},
    {"variant": "hourglass", "layers": "2@1 4@4 2@1"},
    {"variant": "retina", "layers": "4@1", "retina_factors": (1, 4, 16), "retina_windows": (64, 16)},
)
WAYS: dict[str, dict[str, Any]] = {
    "halves": {"positions": "rotary", "rotary_pairs": "halves"},
    "adjacent": {"positions": "rotary", "rotary_pairs": "adjacent"},
    "none": {"positions": "none"},
}
ROUNDS, UNCOUNTED = 25, 3


def main() -> None:
    """Print one table."""
    torch.set_num_threads(1)
    out = Table("model", "d_model", "adjacent / halves", "quartiles", "no positions / halves")
    for model in MODELS:
        for d_model in (64, 128):
            seconds = in_turn({name: step_of({**model, **way}, d_model) for name, way in WAYS.items()})
            ratios = [a / b for a, b in zip(seconds["adjacent"], seconds["halves"], strict=True)]
            without = [a / b for a, b in zip(seconds["none"], seconds["halves"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            out.add_row(
                f"{model['variant']} {model['layers']}",
                str(d_model),
                f"{middle:.3f}",
                f"{low:.3f} to {high:.3f}",
                f"{statistics.median(without):.3f}",
            )
    console = Console(width=110)
    console.print(out)
    console.print(f"processor time of a step; heads of 32, T=256, batch 8, one thread, torch {torch.__version__}")


def step_of(options: dict[str, Any], d_model: int) -> Callable[[], object]:
    """A training step of a new model, on random bytes."""
    config = ModelConfig(d_model=d_model, n_heads=d_model // 32, vocab_size=256, context=256, **options)
    training = TrainingConfig(batch_size=8)
    model = build_model(config)
    optimizer = make_optimizer(model, training)
    inputs, targets = torch.randint(config.vocab_size, (2, 8, config.context))
    return lambda: training_step(model, optimizer, inputs, targets, training)


def in_turn(steps: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """The processor seconds of each step, one after another in every round, without the first rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            seconds[name].append(time.process_time() - begin)
    return {name: each[UNCOUNTED:] for name, each in seconds.items()}


if __name__ == "__main__":
    main()
