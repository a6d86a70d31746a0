"""Is the predicted memory right? Compared with real tensors, torch's own profiler, and a GPU where there is one.

    python -m benchmarks.memory_accuracy
    python -m benchmarks.memory_accuracy --candidates 20 --bound 32MiB

Candidates are drawn from every space that ships (all variants and their options), under attention kernel, loss,
precision and checkpointing drawn on top. Where one would need more than `--bound`, its batch, then its width, then its
vocabulary is made smaller. Each is compared three times:

count       the same count of storages, on real tensors instead of fake ones
profiler    the peak of `torch.profiler`'s log of allocations, of all that outlives the operation that made it
with workspaces   the peak of that whole log; shown but not judged, since kernels' workspaces are not tensors and
            differ between processors

Exit status 1 if count or profiler is more than 0.1 % off. On a machine with an NVIDIA GPU another set of larger
candidates is compared with `torch.cuda.max_memory_allocated`: see `benchmarks.gpu.memory`. Half an hour on one core.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.memory_accuracy.candidates import CONDITIONS, Drawn, draw
from benchmarks.memory_accuracy.profiler_peak import profiler_peak
from msarch.memory.profile import count_training_step, profile_training_step
from msarch.units import parse_bytes

TOLERANCE = 0.001


@dataclass(frozen=True)
class Compared:
    """One candidate's figures in bytes; `operation` is where the profiler's peak with workspaces stands."""

    drawn: Drawn
    predicted: int
    counted: int
    profiled: int
    allocated: int
    operation: str

    @property
    def differences(self) -> tuple[float, float, float]:
        """How far count, profiler, and profiler with workspaces are above the prediction, as shares of it."""
        count, profiler, workspaces = (x / self.predicted - 1 for x in (self.counted, self.profiled, self.allocated))
        return count, profiler, workspaces


def main() -> None:
    """Compare, print the tables, and exit with 1 where a figure is off."""
    parser = argparse.ArgumentParser(description="Predicted memory against real tensors, torch.profiler and a GPU.")
    parser.add_argument("--candidates", type=int, default=210, help="at least this many (default 210: 21 a space)")
    parser.add_argument("--bound", type=parse_bytes, default=64 * 2**20, help="largest predicted (default 64MiB)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="write every candidate's figures to this file")
    parser.add_argument("--no-gpu", action="store_true", help="leave a GPU out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    drawn = track(draw(arguments.candidates, arguments.bound, arguments.seed), "comparing", console=console)
    found = [compare(each) for each in drawn]
    if arguments.csv:
        write(arguments.csv, found)
    console.print(summary(found))
    for line in remarks(found, arguments.bound):
        console.print(line, highlight=False)
    missed = [each for each in found if max(map(abs, each.differences[:2])) > TOLERANCE]
    for each in missed:
        console.print(f"[red]off:[/red] {each.drawn} {each.differences}", highlight=False)
    missed_on_gpu = False if arguments.no_gpu else compare_on_gpu(console)
    sys.exit(1 if missed or missed_on_gpu else 0)


def compare(drawn: Drawn) -> Compared:
    """Run one candidate's step in all three ways; a few seconds."""
    predicted = profile_training_step(drawn.model, drawn.training).peak_bytes
    counted = count_training_step(drawn.model, drawn.training).peak_bytes
    peak = profiler_peak(drawn.model, drawn.training)
    return Compared(drawn, predicted, counted, peak.tensors, peak.allocated, peak.operation)


def summary(found: Sequence[Compared]) -> Table:
    """Median and largest difference by variant, in per cent of the prediction."""
    table = Table("variant", "candidates", title="difference to the prediction in %: median, largest")
    for name in ("count", "profiler", "with workspaces"):
        table.add_column(name, justify="right")
    variants = dict.fromkeys(each.drawn.model.variant for each in found)
    for variant in [*variants, "all"]:
        members = [each for each in found if variant in ("all", each.drawn.model.variant)]
        columns = zip(*(each.differences for each in members), strict=True)
        cells = [f"{median(map(abs, column)):.3%}, {max(map(abs, column)):.3%}" for column in map(list, columns)]
        table.add_row(variant, str(len(members)), *cells)
    return table


def remarks(found: Sequence[Compared], bound: int) -> list[str]:
    """What was drawn, what was made smaller, and where workspaces stand."""
    conditions = Counter(getattr(each.drawn.training, name) for name in CONDITIONS for each in found)
    shrunk = Counter(what for each in found for what in each.drawn.shrunk)
    kernels = Counter(each.operation for each in found if each.operation and each.differences[2] > TOLERANCE)
    sizes = sorted(each.predicted for each in found)
    smaller = ", ".join(f"{what} {count}" for what, count in shrunk.items()) or "none"
    return [
        f"conditions: {', '.join(f'{name} {count}' for name, count in conditions.items())}; "
        f"dropout {sum(each.drawn.model.dropout > 0 for each in found)}",
        f"predicted {sizes[0] / 2**20:.1f} to {sizes[-1] / 2**20:.0f} MiB, median {median(sizes) / 2**20:.0f}; "
        f"made smaller to stay under {bound / 2**20:.0f} MiB: {smaller}",
        "workspaces above 0.1 %: " + (", ".join(f"{name} {count}" for name, count in kernels.items()) or "none"),
        f"{platform.machine()}, one thread, torch {torch.__version__}",
    ]


def write(file: Path, found: Sequence[Compared]) -> None:
    """A row for each candidate."""
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["space", "variant", "layers", *CONDITIONS, "predicted", "counted", "profiled", "allocated"])
        for each in found:
            model, training = each.drawn.model, each.drawn.training
            conditions = [getattr(training, name) for name in CONDITIONS]
            figures = [each.predicted, each.counted, each.profiled, each.allocated]
            writer.writerow([each.drawn.space, model.variant, model.layers, *conditions, *figures])


def compare_on_gpu(console: Console) -> bool:
    """The same on a GPU, with its allocator's own figure; whether it is too far off."""
    if not torch.cuda.is_available():
        console.print("no NVIDIA GPU here: nothing was compared with torch.cuda.max_memory_allocated")
        return False
    from benchmarks.gpu.memory import draw_for_gpu, judge, measure_all, rows

    found = measure_all(draw_for_gpu(), seconds=240)
    console.print("\n".join(rows(found)), highlight=False)
    verdict, good = judge(found)
    console.print(verdict, highlight=False)
    return not good
