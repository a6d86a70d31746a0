"""What a search costs beyond its trainings: until the first step, and for each trial.

    python -m benchmarks.overhead                            # 40 trials of 20 seconds, two at a time: half an hour
    python -m benchmarks.overhead --trials 12 --seconds 2    # a few minutes, with more overhead in proportion

A round is a search with cached tokens, then the same trainings in bare processes, as many side by side: so other work
on the machine slows both, and ratios are taken inside a round. Beside seconds on the clock are seconds of processors,
with every process that Ray has started: other work changes them little.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.overhead.processes import Event, run_all
from msarch.data.token_set import prepare_tokens
from msarch.machine import usable_cores
from search.run.drawn import draw_candidates
from search.run.ray.lean import WORKER
from search.run.timing import time_candidate
from search.space.load import load_space

ROOT = Path(__file__).parents[2]
SPACE = """
corpus: {{train: train.txt, validation: validation.txt, tokenizer: bytes}}
model: {{context: 128, d_model: 64, d_head: 16, variant: {{vanilla: {{layers: "2@1"}}}}}}
training: {{tokens: {tokens}, batch_size: 8, learning_rate: {{min: 1e-3, max: 1e-2, log: true}}, validation_tokens: 4k}}
search: {{sampler: random, pruner: none, trials: {trials}, concurrent: {concurrent}, seed: 0}}
"""
PARTS = {
    "checking the limits": "imports",
    "starting Ray": "limits, text, ledger",
    "starting workers": "Ray",
    "first proposal": "first proposal",
    "first step": "worker, up to the first step",
}
"""What has just passed when one of these events comes."""


@dataclass(frozen=True)
class Span:
    """Seconds on the clock and seconds of processors."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Round:
    """The events of a search, and those of each bare process."""

    search: list[Event]
    bare: list[list[Event]]

    def parts(self) -> dict[str, Span]:
        """What passed until the first step, by name."""
        chosen = [event for event in self.search if event["event"] in ("begin", *PARTS)]
        return {PARTS[event["event"]]: _span(before, event) for before, event in pairwise(chosen)}

    def until_first_step(self) -> tuple[Span, Span]:
        """Of the search and of the bare processes."""
        return _between(self.search, "begin", "first step"), _all(self.bare, "begin", "first step")

    def trials(self) -> tuple[Span, Span]:
        """From the first step to the end of the last trial, likewise."""
        return _between(self.search, "first step", "trained"), _all(self.bare, "first step", "trained")


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description="What a search costs beyond its trainings.")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a trial, in a process of its own")
    parser.add_argument("--concurrent", type=int, default=min(2, usable_cores()))
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        os.environ["MSARCH_CACHE"] = str(Path(name) / "cache")
        write_text()
        tokens = tokens_in(arguments.seconds)
        rounds = [
            measure(f"round{number}", tokens, arguments.trials, arguments.concurrent)
            for number in range(arguments.rounds)
        ]
        os.chdir(ROOT)
    console = Console()
    console.print(start_table(rounds))
    console.print(cost_table(rounds, arguments.trials, arguments.concurrent))


def write_text() -> None:
    """A text of a few words, the same each time."""
    generator = random.Random(0)
    for name, count in (("train", 200_000), ("validation", 20_000)):
        words = (generator.choice(["a", "model", "reads", "every", "token"]) for _ in range(count))
        Path(f"{name}.txt").write_text(" ".join(words))


def tokens_in(seconds: float) -> int:
    """Training tokens of a trial that takes so long here; the tokens of the text are in the cache afterwards."""
    Path("probe.yaml").write_text(SPACE.format(tokens=100_000, trials=1, concurrent=1))
    (candidate,) = draw_candidates(load_space("probe.yaml"), 1)
    prepare_tokens(candidate.corpus)
    step_tokens = candidate.training.batch_size * candidate.model.context
    return round(seconds / time_candidate(candidate, "cpu").step) * step_tokens


def measure(name: str, tokens: int, trials: int, concurrent: int) -> Round:
    """One round, in the current directory."""
    Path(f"{name}.yaml").write_text(SPACE.format(tokens=tokens, trials=trials, concurrent=concurrent))
    environment, here = {"PYTHONPATH": str(ROOT)}, Path.cwd()
    module = [sys.executable, "-m", "benchmarks.overhead.search_once", f"{name}.yaml", name, str(time.time())]
    (search,) = run_all([module], here, **environment)
    module = [sys.executable, "-m", "benchmarks.overhead.train_bare", name]
    slots = [[*module, str(slot), str(concurrent), str(time.time())] for slot in range(concurrent)]
    return Round(search, run_all(slots, here, **environment, **WORKER))


def start_table(rounds: list[Round]) -> Table:
    """Up to the first step; medians over the rounds."""
    table = Table("until the first step", "s on the clock", "s of processors")
    for name in PARTS.values():
        parts = [found[name] for each in rounds if name in (found := each.parts())]
        table.add_row(name, *_medians(parts))
    table.add_row("all of it", *_medians([each.until_first_step()[0] for each in rounds]))
    return table


def cost_table(rounds: list[Round], trials: int, concurrent: int) -> Table:
    """The search beside bare processes."""
    table = Table(f"{trials} trials, {concurrent} at a time", "s on the clock", "s of processors")
    for index, name in enumerate(("search", "bare processes")):
        table.add_row(f"{name}: to the first step", *_medians([each.until_first_step()[index] for each in rounds]))
        table.add_row(f"{name}: trials", *_medians([each.trials()[index] for each in rounds]))
    ratios, extra = [], []
    for each in rounds:
        (start, bare_start), (search, bare) = each.until_first_step(), each.trials()
        wall = (start.wall + search.wall) / (bare_start.wall + bare.wall)
        ratios.append(Span(wall, (start.cpu + search.cpu) / (bare_start.cpu + bare.cpu)))
        extra.append(Span((search.wall - bare.wall) * concurrent / trials, (search.cpu - bare.cpu) / trials))
    table.add_row("beyond bare, for each trial", *_medians(extra, digits=2))
    table.add_row("search over bare, in all", *_medians(ratios, digits=3))
    table.add_row("load of the machine", f"{os.getloadavg()[0]:.1f}", f"{usable_cores()} cores")
    return table


def _medians(spans: list[Span], digits: int = 1) -> tuple[str, str]:
    wall, cpu = median(span.wall for span in spans), median(span.cpu for span in spans)
    return f"{wall:.{digits}f}", f"{cpu:.{digits}f}"


def _span(before: Event, after: Event) -> Span:
    return Span(after["wall"] - before["wall"], after["cpu"] - before["cpu"])


def _between(events: list[Event], first: str, last: str) -> Span:
    """From one event to the last of another kind."""
    return _span(*(next(event for event in reversed(events) if event["event"] == name) for name in (first, last)))


def _all(processes: list[list[Event]], first: str, last: str) -> Span:
    """Of processes side by side: the longest on the clock, the sum of processors."""
    spans = [_between(events, first, last) for events in processes]
    return Span(max(span.wall for span in spans), sum(span.cpu for span in spans))
