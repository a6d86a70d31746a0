"""What does a retina gain over a vanilla model of the same size as the context grows?

    python -m benchmarks.retina_scaling
    python -m benchmarks.retina_scaling --quick

One training step (forward, backward, clipping, AdamW) of both models at each context, taken in turn within one
run, so that a busy neighbour slows both; times are medians of processor time. Memory is the profiler's prediction. One
thread by default. A few minutes in full.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.steps_in_turn import in_turn, step_of
from msarch import ModelConfig, TrainingConfig
from msarch.memory.profile import profile_training_step
from msarch.units import format_bytes

LENGTHS = (512, 1024, 2048, 4096, 8192)
FACTORS, WINDOWS = (1, 4, 16), (64, 16)
KERNELS: tuple[Literal["fused", "unfused"], ...] = ("fused", "unfused")


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description="A retina's step time and memory against vanilla's, by context.")
    parser.add_argument("--quick", action="store_true", help="contexts up to 2048, 3 steps each")
    parser.add_argument("--steps", type=int, default=5, help="steps timed at each context (default 5)")
    parser.add_argument("--layers", type=int, default=2, help="layers of both models (default 2)")
    parser.add_argument("--d-model", type=int, default=128, help="width of both models (default 128)")
    parser.add_argument("--threads", type=int, default=1, help="threads torch runs on (default 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    lengths, steps = (LENGTHS[:3], 3) if arguments.quick else (LENGTHS, arguments.steps)
    table = Table("tokens", "attention", "vanilla", "retina", "ratio", "vanilla", "retina", "ratio")
    table.title = "processor seconds a step, then peak memory; ratio: retina / vanilla"
    for context, attention in track([(t, a) for t in lengths for a in KERNELS], "measuring", transient=True):
        configs = [config(name, context, arguments.layers, arguments.d_model) for name in ("vanilla", "retina")]
        training = TrainingConfig(batch_size=1, attention=attention)
        vanilla, retina = map(statistics.median, in_turn([step_of(each, training) for each in configs], steps))
        held, kept = (profile_training_step(each, training).peak_bytes for each in configs)
        times = (f"{vanilla:.3f}", f"{retina:.3f}", f"{retina / vanilla:.2f}")
        table.add_row(str(context), attention, *times, format_bytes(held), format_bytes(kept), f"{kept / held:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"d={arguments.d_model}, {arguments.layers} layers, batch 1, vocabulary 1024, factors {FACTORS}, windows "
        f"{WINDOWS}; median of {steps} steps in turn; {platform.machine()}, "
        f"{torch.get_num_threads()} thread(s), torch {torch.__version__}"
    )


def config(variant: str, context: int, layers: int, d_model: int) -> ModelConfig:
    """One of the two models, which differ only in their keys."""
    common: dict[str, Any] = {
        "layers": f"{layers}@1",
        "d_model": d_model,
        "n_heads": 4,
        "vocab_size": 1024,
        "context": context,
    }
    retina: dict[str, Any] = {"retina_factors": FACTORS, "retina_windows": WINDOWS} if variant == "retina" else {}
    return ModelConfig(variant=variant, **common, **retina)


if __name__ == "__main__":
    main()
