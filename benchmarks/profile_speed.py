"""How long does a memory profile take, at the first call in a process and later?

    python -m benchmarks.profile_speed
    python -m benchmarks.profile_speed --repeats 1

Each repeat is a fresh process that imports torch and msarch, then profiles each case four times under batches of its
own, so that no answer comes from the cache. Asking once more shows what an answer from the cache costs. Times are wall
clock on one thread, medians over the repeats, with processor time beside them for machines that are shared.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from msarch import ModelConfig, TrainingConfig

TARGETS = {"first": 2.5, "later": 1.2}
"""Seconds for the first case, stated in docs/profile.md."""
_SHARED: dict[str, Any] = {"d_model": 512, "n_heads": 8, "vocab_size": 30_000, "context": 512}
_RETINA: dict[str, Any] = {"retina_factors": (1, 4, 16), "retina_windows": (64, 16)}
CASES = {
    "top_down 12@16 12@4 6@1": ModelConfig(variant="top_down", layers="12@16 12@4 6@1", **_SHARED),
    "vanilla 14@1": ModelConfig(variant="vanilla", layers="14@1", **_SHARED),
    "retina 12@1, context 4096": ModelConfig(
        variant="retina", layers="12@1", **{**_SHARED, "context": 4096, **_RETINA}
    ),
    "vanilla 2@1, small": ModelConfig(
        variant="vanilla", layers="2@1", d_model=64, n_heads=4, vocab_size=1024, context=128
    ),
}


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description="Seconds that a memory profile takes.")
    parser.add_argument("--repeats", type=int, default=5, help="fresh processes for each case")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(CASES[arguments.one])))
        return
    console = Console()
    table = Table("model", "first", "processor", "later", "processor", "again", title="seconds of one profile")
    for name in track(CASES, "profiling", console=console, transient=True):
        runs = [_in_a_fresh_process(name) for _ in range(arguments.repeats)]
        table.add_row(name, *(f"{statistics.median(run[key] for run in runs):.2g}" for key in runs[0]))
    console.print(table)
    console.print(f"first row: at most {TARGETS['first']} first, {TARGETS['later']} later. {_machine()}")


def measure(config: ModelConfig) -> dict[str, float]:
    """Seconds of the first call in this process, of the median of three later ones, and of one already answered."""
    import torch

    from msarch import profile_training_step

    torch.set_num_threads(1)

    def timed(batch: int) -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        profile_training_step(config, TrainingConfig(batch_size=batch))
        return time.perf_counter() - wall, time.process_time() - processor

    first, *later = [timed(batch) for batch in (16, 17, 18, 19)]
    middle = sorted(later)[1]
    return {
        "first": first[0],
        "first, processor": first[1],
        "later": middle[0],
        "later, processor": middle[1],
        "again": timed(19)[0],
    }


def _in_a_fresh_process(name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.profile_speed", "--one", name]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(output)
    return found


def _machine() -> str:
    from importlib.metadata import version

    return f"{platform.machine()}, one thread, torch {version('torch')}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
