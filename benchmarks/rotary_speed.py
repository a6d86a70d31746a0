"""Does it take less time to turn adjacent pairs than halves? A training step of each, one after the other.

    python -m benchmarks.rotary_speed

Processor time and not wall-clock time, and the median of ratios of neighbouring steps: so other programs on the machine
matter little. About two minutes.
"""

from __future__ import annotations

import statistics
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.steps_in_turn import in_turn, ratios, step_of
from msarch import ModelConfig, TrainingConfig

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
ROUNDS = 25


def main() -> None:
    """Print one table."""
    torch.set_num_threads(1)
    out = Table("model", "d_model", "adjacent / halves", "quartiles", "no positions / halves")
    for model in MODELS:
        for d_model in (64, 128):
            steps = [step_of(_config({**model, **way}, d_model), TrainingConfig(batch_size=8)) for way in WAYS.values()]
            seconds = dict(zip(WAYS, in_turn(steps, ROUNDS), strict=True))
            low, middle, high = statistics.quantiles(ratios(seconds["adjacent"], seconds["halves"]), n=4)
            without = ratios(seconds["none"], seconds["halves"])
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


def _config(options: dict[str, Any], d_model: int) -> ModelConfig:
    return ModelConfig(d_model=d_model, n_heads=d_model // 32, vocab_size=256, context=256, **options)


if __name__ == "__main__":
    main()
