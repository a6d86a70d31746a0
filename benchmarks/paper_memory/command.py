"""Do thirty layers at several scales need less memory than fourteen vanilla ones, as the paper says? When?

    python -m benchmarks.paper_memory --csv docs/paper-memory.csv --svg docs/paper-memory.svg
    python -m benchmarks.paper_memory --csv docs/paper-memory.csv --markdown
    python -m benchmarks.paper_memory --csv docs/paper-memory.csv --steps 5

The paper (Subramanian et al. 2020, arXiv 2005.00581): a hierarchical model of thirty layers has a lower perplexity at
23 % less memory than fourteen vanilla layers. We do not know its kernels, loss, batch and optimizer, nor how
it counted memory. So every allocation of `spaces/paper-bookcorpus.yaml` is profiled under all:
attention fused and unfused, loss full and chunked, with and without checkpointing, batch 16 and 64; width 512, 8 heads,
512 tokens, vocabulary 30,000, AdamW, float32. Some 370 profiles of a second or two each; rows in the CSV file are not
profiled again.

`--steps` measures what checkpointing costs in time: real steps of narrow models with the same layouts, side by side.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import track

from benchmarks.paper_memory.profiles import BASELINE, Profiles, Row, append, configs, measure, read
from benchmarks.paper_memory.tables import AS_READ, TARGET, answers, reaching, sheets, ways
from benchmarks.steps_in_turn import in_turn, step_of
from msarch import TrainingConfig

CHECKPOINTING: tuple[Literal["none", "block"], ...] = ("none", "block")
SMALL: dict[str, Any] = {"d_model": 128, "n_heads": 2, "vocab_size": 4096}
SMALL_BATCH = 4
"""What steps are timed at, with the allocations and the context as they are: a second each on one core."""


def main() -> None:
    """Profile what is missing, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(description="Memory of the paper's allocations relative to 14 vanilla layers.")
    parser.add_argument("--csv", type=Path, help="existing rows are kept, missing ones are added")
    parser.add_argument("--svg", type=Path, help="draw a picture")
    parser.add_argument("--png", type=Path, help="the same as PNG")
    parser.add_argument("--markdown", action="store_true", help="print the tables as a document has them")
    parser.add_argument("--steps", type=int, default=0, help="measure this many steps of a few models side by side")
    arguments = parser.parse_args()
    console = Console(width=150)
    profiles = Profiles(gather(arguments.csv))
    for sheet in sheets(profiles):
        if arguments.markdown:
            print(sheet.markdown())
        else:
            console.print(sheet.rich())
    console.print("\n".join(answers(profiles)), highlight=False)
    for file in filter(None, (arguments.svg, arguments.png)):
        from benchmarks.paper_memory.plot import write_plot

        write_plot(file, profiles)
    if arguments.steps:
        for line in times(profiles, arguments.steps):
            console.print(line, highlight=False)


def gather(file: Path | None) -> list[Row]:
    """All rows: from the file, or profiled and added to it."""
    models = configs()
    rows = []
    known = read(file) if file else []
    for row, was_known in track(measure(models, known), "profiling", total=16 * len(models), transient=True):
        rows.append(row)
        if file and not was_known:
            append(file, row)
    return rows


def times(profiles: Profiles, steps: int) -> list[str]:
    """Median seconds of a step over those of 14 vanilla layers, each model in turn in every round.

    Processor time of one thread, not time on the clock: a busy neighbour hardly matters.
    """
    torch.set_num_threads(1)
    chosen = [BASELINE, AS_READ, *reaching(profiles, ways("none"), TARGET)]
    models = [model for model in configs() if (model.variant, model.layers) in chosen]
    runs = [(model, way) for model in models for way in CHECKPOINTING]
    trainings = [TrainingConfig(batch_size=SMALL_BATCH, checkpointing=way) for _, way in runs]
    stepping = [step_of(replace(model, **SMALL), each) for (model, _), each in zip(runs, trainings, strict=True)]
    medians = [statistics.median(seconds) for seconds in in_turn(stepping, steps)]
    lines = [
        f"  {model.variant:9s} {model.layers:22s} checkpointing {way:5s}  {seconds / medians[0]:.2f}  ({seconds:.2f} s)"
        for (model, way), seconds in zip(runs, medians, strict=True)
    ]
    machine = f"{platform.machine()}, one thread, torch {torch.__version__}"
    small = ", ".join(f"{name} {value}" for name, value in SMALL.items())
    where = f"{small}, batch {SMALL_BATCH}, median of {steps} in turn; {machine}"
    return [f"processor time of a step over that of 14 vanilla layers: {where}", *lines]
