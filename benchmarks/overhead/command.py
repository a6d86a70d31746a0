"""What a search costs beyond its trainings: until the first step, for each trial, and in all.

    python -m benchmarks.overhead                            # 40 trials of 20 seconds, two at a time: half an hour
    python -m benchmarks.overhead --trials 12 --seconds 2    # a few minutes, with more overhead in proportion

Each round is a search of one trial, a search of all, and the same trainings in bare processes, one after another in
this order, so that other work on the machine slows all three. Ratios are taken inside a round. Beside seconds on the
clock are seconds of processors, with every process that Ray starts: other work changes them little.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.overhead.processes import Spent, adopt_orphans, run_all
from benchmarks.overhead.search_once import EVENTS
from msarch.machine import usable_cores
from search.run.ray.lean import WORKER

ROOT = Path(__file__).parents[2]
SPACE = """
corpus: {{train: train.txt, validation: validation.txt, tokenizer: bytes}}
model: {{context: 128, d_model: 64, d_head: 16, variant: {{vanilla: {{layers: "2@1"}}}}}}
training: {{tokens: {tokens}, batch_size: 8, learning_rate: {{min: 1e-3, max: 1e-2, log: true}}, validation_tokens: 4k}}
search: {{sampler: random, pruner: none, trials: {trials}, concurrent: {concurrent}, seed: 0}}
"""


@dataclass(frozen=True)
class Round:
    """What one search of one trial, one of all and the bare trainings took; and the first one's events."""

    one: Spent
    search: Spent
    bare: Spent
    events: list[dict[str, Any]]


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description="What a search costs beyond its trainings.")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a trial, when the machine has no other work")
    parser.add_argument("--concurrent", type=int, default=min(2, usable_cores()))
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    adopt_orphans()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_text(folder)
        tokens = tokens_in(arguments.seconds, folder)
        rounds = [
            measure(folder / str(number), tokens, arguments.trials, arguments.concurrent)
            for number in range(arguments.rounds)
        ]
    console.print(start_table(rounds))
    console.print(cost_table(rounds, arguments.trials, arguments.concurrent))


def measure(folder: Path, tokens: int, trials: int, concurrent: int) -> Round:
    """One round, in a new folder beside the text."""
    folder.mkdir()
    environment = {"MSARCH_CACHE": str(folder.parent / "cache"), "PYTHONPATH": str(ROOT)}
    for out, count in (("one", 1), ("all", trials)):
        space = SPACE.format(tokens=tokens, trials=count, concurrent=min(count, concurrent))
        (folder / f"{out}.yaml").write_text(space)

    def search(out: str) -> tuple[Spent, str]:
        module = [sys.executable, "-m", "benchmarks.overhead.search_once"]
        words = [str(folder / f"{out}.yaml"), str(folder / out), str(time.time())]
        spent, (said,) = run_all([[*module, *words]], folder.parent, **environment)
        return spent, said

    one, said = search("one")
    whole, _ = search("all")
    module = [sys.executable, "-m", "benchmarks.overhead.train_bare", str(folder / "all")]
    slots = [[*module, str(slot), str(concurrent)] for slot in range(concurrent)]
    bare, _ = run_all(slots, folder.parent, **environment, **WORKER)
    return Round(one, whole, bare, [json.loads(line) for line in said.splitlines()])


def write_text(folder: Path) -> None:
    """A text of a few words, the same each time."""
    generator = random.Random(0)
    for name, count in (("train", 200_000), ("validation", 20_000)):
        words = (generator.choice(["a", "model", "reads", "every", "token"]) for _ in range(count))
        (folder / f"{name}.txt").write_text(" ".join(words))


def tokens_in(seconds: float, folder: Path) -> int:
    """Training tokens of a trial of so many seconds here; a first small search also fills the cache."""
    probe = measure(folder / "probe", 100_000, 1, 1)
    return round(100_000 * seconds / max(probe.bare.cpu - START, 0.5))


START = 3.0
"""Seconds of a processor that a bare process takes to import torch and to build its first model, roughly."""


def start_table(rounds: list[Round]) -> Table:
    """Up to the first step, with cached tokens; medians over the rounds."""
    table = Table("until the first step", "s on the clock", "s of processors")
    since: dict[str, list[tuple[float, float]]] = {}
    for each in rounds:
        wall, cpu = each.events[0]["wall"], 0.0
        for event in each.events[1:]:
            part = (event["wall"] - wall, event["cpu"] - cpu)
            since.setdefault(EVENTS.get(event["event"], "text and ledger"), []).append(part)
            wall, cpu = event["wall"], event["cpu"]
    for name, parts in since.items():
        table.add_row(name, *(f"{median(figures):.1f}" for figures in zip(*parts, strict=True)))
    return table


def cost_table(rounds: list[Round], trials: int, concurrent: int) -> Table:
    """The search beside bare processes."""
    table = Table(f"{trials} trials, {concurrent} at a time", "s on the clock", "s of processors")
    for name, key in (("search of one trial", "one"), ("search of all", "search"), ("bare processes", "bare")):
        spent = [getattr(each, key) for each in rounds]
        table.add_row(name, f"{median(each.wall for each in spent):.1f}", f"{median(each.cpu for each in spent):.1f}")
    ratios = [(each.search.wall / each.bare.wall, each.search.cpu / each.bare.cpu) for each in rounds]
    table.add_row("search over bare", *(f"{median(figures):.3f}" for figures in zip(*ratios, strict=True)))
    table.add_row("load of the machine", f"{os.getloadavg()[0]:.1f}", f"{usable_cores()} cores")
    return table
