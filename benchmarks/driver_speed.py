"""How much processor time does the process that drives a search spend on a trial, as the search grows?

    python -m benchmarks.driver_speed
    python -m benchmarks.driver_speed --strategy tpe --trials 500 --profile
    python -m benchmarks.driver_speed --strategy front-drawn

A real search with its journal on disk, its pruner and its tables, but nothing is trained: losses and memory profiles
are made up, so that all time is the driver's. Each trial reports its rungs, and between them the driver is asked
whether the search has ended, as Ray asks it several times a second. Tables are written at most every five seconds.

driver    milliseconds of processor time a trial, less the next two: everything that msarch itself does
fit       in the sampler's, or the loss model's, own computing
tables    in writing trials.csv, curves.csv and pareto.csv; a search that trains something has fewer of them in a trial
once      to write them once at that size, in milliseconds

In `front` a trial counts whenever it has ended or is paused. Its loss model takes an hour for 2,000 of them;
`front-drawn` draws the pieces instead, which leaves the driver alone, in a minute. Figures are means over the last
tenth before each mark. The goal: at most 50 ms a trial for the driver, from trial 100 to trial 2,000. The journal is
flushed to the disk some twenty times a trial; that takes no processor time, but with TMPDIR in memory the benchmark
itself is done sooner.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import pstats
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.propose.front.strategy import Design, FrontStrategy, Piece, Resume, Start
from search.run.coordinator import Coordinator
from search.run.open_search import open_recorded, open_search
from search.run.outputs import Outputs
from search.run.watcher import Silent
from search.space.load import load_space
from search.space.space import Space

SPACE = """
corpus: {source: python-docs, tokenizer: bytes}
model:
  context: 128
  d_model: {min: 32, max: 512, step: 32}
  d_head: 16
  variant:
    vanilla: {layers: "1..24@1"}
    top_down: {layers: ["1..12@4 1..8@1", "1..12@16 1..8@4 1..8@1"]}
    bottom_up: {layers: "0..4@1 1..12@4 1..8@1"}
    hourglass: {layers: "1..4@1 1..12@4 1..4@1"}
training: {tokens: 1M, batch_size: 8, learning_rate: {min: 1e-3, max: 3e-2, log: true}}
limits: {memory: 100 GiB}
objectives: [perplexity, memory]
"""
STRATEGIES = {
    "default": (),
    "random": ("search.sampler=random",),
    "tpe": ("search.sampler=tpe", "search.pruner=pareto"),
    "nsga2": ("search.sampler=nsga2",),
    "front": ("search.strategy=front",),
    "front-drawn": ("search.strategy=front",),
}
MARKS = (100, 200, 500, 1000, 2000)
POLLS = 10
"""Times that Ray asks whether the search has ended, from rung to rung."""


class Tokens:
    """As much of a text as a proposal needs."""

    vocab_size = 256


def main() -> None:
    """Drive searches and print a line for each mark."""
    parser = argparse.ArgumentParser(description="Processor time of the process that drives a search.")
    parser.add_argument("--strategy", nargs="+", choices=STRATEGIES, default=["random", "tpe"])
    parser.add_argument("--trials", type=int, default=MARKS[-1], help=f"of each search (default {MARKS[-1]:,})")
    parser.add_argument("--profile", action="store_true", help="print the functions that take most of the time")
    arguments = parser.parse_args()
    console = Console()
    table = Table("strategy", "trials", "driver", "fit", "tables", "once", "MiB", title="milliseconds a trial")
    for strategy in arguments.strategy:
        with TemporaryDirectory() as folder:
            profile = cProfile.Profile() if arguments.profile else nullcontext()
            for mark in measured(Path(folder), strategy, arguments.trials, profile):
                numbers = (mark.driver, mark.fit, mark.tables, mark.once, mark.memory)
                table.add_row(strategy, f"{mark.trials:,}", *(f"{number:.1f}" for number in numbers))
            if isinstance(profile, cProfile.Profile):
                pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
    console.print(table)


@dataclass
class Mark:
    """Figures at one size of a search; milliseconds a trial, and MiB of memory."""

    trials: int
    driver: float
    fit: float
    tables: float
    once: float
    memory: float


@dataclass
class Clock:
    """Processor seconds of some functions."""

    seconds: float = 0.0
    running: bool = False

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed; what it calls itself counts once."""

        def timed(*arguments: Any, **named: Any) -> Any:
            if self.running:
                return function(*arguments, **named)
            self.running, began = True, time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self.running, self.seconds = False, self.seconds + time.process_time() - began

        return timed


def measured(folder: Path, strategy: str, trials: int, profile: AbstractContextManager[Any]) -> Iterator[Mark]:
    """Drive one search of so many trials; figures at each mark. `profile` sees the driver alone."""
    (folder / "space.yaml").write_text(SPACE)
    space = load_space(folder / "space.yaml", STRATEGIES[strategy])
    fit, tables = Clock(), Clock()
    drawn = patch.object(FrontStrategy, "worth", drawn_piece) if strategy == "front-drawn" else nullcontext()
    with drawn, timed_models(fit), patch.object(Outputs, "write_tables", tables.around(Outputs.write_tables)):
        outputs = Outputs(space, folder, Silent())
        coordinator = opened(space, folder, outputs, trials)
        outputs.records = coordinator.records
        marks = [mark for mark in MARKS if mark < trials] + [trials]
        begin, began = 0, [0.0, 0.0, 0.0]
        with profile:
            for count, _ in enumerate(driven(coordinator, resumes=strategy.startswith("front")), start=1):
                now = [time.process_time(), fit.seconds, tables.seconds]
                if marks and count == marks[0] - max(1, marks[0] // 10):
                    begin, began = count, now
                if marks and count == marks[0]:
                    marks.pop(0)
                    each = [1000 * (then - before) / (count - begin) for then, before in zip(now, began, strict=True)]
                    outputs.write_tables()
                    once = 1000 * (time.process_time() - now[0])
                    yield Mark(count, each[0] - each[1] - each[2], each[1], each[2], once, _peak())
                if not marks:
                    return  # what was paused would be resumed for as many trainings again


def _peak() -> float:
    """MiB of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opened(space: Space, folder: Path, outputs: Outputs, trials: int) -> Coordinator:
    """The coordinator of a search over made-up models."""
    space, ledger = open_recorded(space, folder, outputs)
    return open_search(
        space, ledger, folder, prepare=_prepare, profile=memory_profile, watcher=outputs, trials=trials, concurrent=1
    )


@contextmanager
def timed_models(clock: Clock) -> Iterator[None]:
    """Time what samplers and the loss model compute themselves."""
    from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

    draws = [(kind, name) for kind in (TPESampler, NSGAIISampler) for name in ("sample_relative", "sample_independent")]
    methods: list[tuple[type, str]] = [
        *draws,
        (RandomSampler, "sample_independent"),
        (TPESampler, "infer_relative_search_space"),
        (FrontStrategy, "worth"),
    ]
    patches = [patch.object(kind, name, clock.around(getattr(kind, name))) for kind, name in methods]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def drawn_piece(
    strategy: FrontStrategy, records: Sequence[TrialRecord], fresh: Sequence[Design], tokens_left: float
) -> list[tuple[float, Piece]]:
    """In place of `FrontStrategy.worth`: a new design or the paused trial that has come farthest, as likely as not."""
    paused = [record for record in records if record.paused]
    draw = random.Random(sum(len(record.curve) for record in records))
    if paused and (not fresh or draw.random() < 0.5):
        return [(1.0, Resume(max(paused, key=lambda record: (len(record.curve), record.number)).number))]
    return [(1.0, Start(draw.choice(fresh)))] if fresh else []


def driven(coordinator: Coordinator, *, resumes: bool) -> Iterator[int]:
    """Each trial that has ended or is paused, one at a time: the driver's part of a search, without Ray."""
    while not coordinator.ended:
        job = coordinator.next_job()
        if job is None:
            continue
        points: list[dict[str, Any]] = []
        begin = len(coordinator.records()[job.number].curve) if resumes else 0
        for rung, share in enumerate(job.candidate.training.rungs):
            points.append(asdict(_point(job.candidate, rung, share)))
            if rung < begin:
                continue
            for _ in range(POLLS):
                _ = coordinator.ended, coordinator.idle
            state = "complete" if share == 1 else "running"
            if not coordinator.report(job.number, {"number": job.number, "state": state, "curve": list(points)}):
                break
        yield job.number


def memory_profile(candidate: Candidate) -> dict[str, Any]:
    """Figures such as a profile has, made up."""
    layers, width = candidate.model.n_layers, candidate.model.d_model
    parameters = 12 * layers * width**2 + 256 * width
    return {
        "memory_bytes": 16 * parameters + 30_000 * layers * width,
        "memory_unfused_bytes": 16 * parameters + 50_000 * layers * width,
        "cache_bytes": 1000 * layers * width,
        "parameters": parameters,
        "parameters_embedding": 256 * width,
        "flops_per_token": 6 * parameters,
    }


def _point(candidate: Candidate, rung: int, share: float) -> Validation:
    size = math.log(memory_profile(candidate)["parameters"])
    mistake = abs(math.log(candidate.training.learning_rate / 5e-3))
    scales = 0.03 * len(candidate.model.scales)
    loss = 4 - 0.1 * size + 0.1 * mistake - scales + (1 / share**0.4 - 1) * (0.1 + 0.02 * size)
    tokens = round(share * candidate.training.tokens)
    return Validation(
        rung=rung, step=tokens // 1024, tokens=tokens, loss=loss, bits_per_byte=loss / 3, seconds=tokens / 1e4
    )


def _prepare(corpus: CorpusConfig) -> Any:
    return Tokens()


if __name__ == "__main__":
    main()
