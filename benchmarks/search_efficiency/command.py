"""How many trainings do search strategies need to find a front, in trained models whose ends are all known?

    python -m benchmarks.search_efficiency results/reference
    python -m benchmarks.search_efficiency results/reference --seeds 5 --strategies front "random + none"
    python -m benchmarks.search_efficiency results/reference --show

Each TABLE is a results folder whose trials were all trained to their end (docs/replay.md). Every strategy chooses from
its models, is told the recorded losses, and is measured alike: hypervolume over (log memory, loss) as a share of what
the whole table gives, after trainings of which a half counts 0.5. A replay ends after 40 trainings, or where 98 % of
the hypervolume was found, whichever is later; or where no model is left.

ours      msarch's samplers and pruners, and `front`, also with 2 and 8 workers
peers     Optuna's GPSampler; Ray's OptunaSearch with ASHA on the loss; Syne Tune's MOASHA; the parameters outside of
          the embedding in place of the loss, as in LiteTransformerSearch. Their own objects decide, see each module
ceilings  an oracle that prunes, and greedy foresight: they know how every training ends. Two more do not know what luck
          its seed brings a model: one knows the loss that may be expected of it, one what all others foretell of it.
          The last ones are `front` where the losses of all models are known, for nothing, at 1/8, 1/4 or 1/2

Random gets ten times as many seeds as the others. Each replay is a line of the CSV as soon as it ends, and is not made
again; after a change of a strategy, name another file. `--show` prints what there is.

Syne Tune comes with the extra `peers`. NePS 0.17 cannot be installed beside msarch's versions: it needs pandas below 3,
networkx below 3 and gpytorch 1.13.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table as RichTable

from benchmarks.search_efficiency.by_expectation import measured
from benchmarks.search_efficiency.contenders import CONTENDERS, FRONT, Contender
from benchmarks.search_efficiency.expected import ExpectedLosses, without_luck
from benchmarks.search_efficiency.intervals import Interval, median_of
from benchmarks.search_efficiency.runs import Run, Runs, seconds_of
from benchmarks.search_efficiency.stopped import leaders, noise_of, stopped_table
from benchmarks.search_efficiency.verdicts import JUDGED, against_random, enough, verdicts
from msarch.errors import UserError, unknown
from search.replay.table import Table, read_table
from search.replay.tally import SHARES, TRAININGS

RUNS = Path("results/search-efficiency.csv")
LONGEST, MOST_FOUND = max(TRAININGS), max(SHARES)
"""Trainings and share of the hypervolume after which a replay ends, when both are reached."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay what is missing, and print a table and the verdicts for each results folder."""
    parser = _parser()
    given = parser.parse_args(arguments)
    console = Console(width=150)
    try:
        chosen = chosen_contenders(given.strategies)
        for folder in given.tables:
            table = read_table(folder)
            runs = Runs(given.runs, str(folder), table)
            if not given.show:
                run_missing(table, runs, chosen, given.seeds)
            noise = noise_of(folder, table) if given.noise is None else given.noise
            report(console, folder, table, {one: runs.of(one.name, one.seeds_of(given.seeds)) for one in chosen}, noise)
    except UserError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Trainings that search strategies need to find a front.")
    parser.add_argument("tables", type=Path, nargs="+", metavar="TABLE", help="results folders")
    parser.add_argument(
        "--seeds", type=int, default=20, help="of each strategy (default 20); ten times that for random"
    )
    parser.add_argument("--strategies", nargs="+", metavar="NAME", help=f"only these: {', '.join(CONTENDERS)}")
    parser.add_argument("--runs", type=Path, default=RUNS, help=f"CSV of finished replays (default {RUNS})")
    parser.add_argument("--noise", type=float, help="nats between seeds (default: as benchmarks.seed_noise found)")
    parser.add_argument("--show", action="store_true", help="print what the CSV holds, and replay nothing")
    return parser


def chosen_contenders(names: Sequence[str] | None) -> list[Contender]:
    """Those of these names, or all. Raises UserError for a name that none has."""
    for name in names or ():
        if name not in CONTENDERS:
            raise UserError(unknown("strategy", name, tuple(CONTENDERS)), key="--strategies")
    return [one for name, one in CONTENDERS.items() if names is None or name in names]


def run_missing(table: Table, runs: Runs, chosen: Sequence[Contender], seeds: int) -> None:
    """Every replay that is not in the CSV; seed by seed, so that all strategies soon have some."""
    able = [one for one in chosen if not one.why_not(table)]
    wanted = [(seed, one) for one in able for seed in range(one.seeds_of(seeds)) if (one.name, seed) not in runs]
    shown = Console(stderr=True)
    for seed, one in track(sorted(wanted, key=lambda pair: pair[0]), "replaying", console=shown, transient=True):
        began = time.process_time()
        found = one.run(table, seed, LONGEST, MOST_FOUND)
        runs.add(one.name, seed, found, time.process_time() - began)


def report(console: Console, folder: Path, table: Table, found: dict[Contender, list[Run]], noise: float) -> None:
    """The table of a results folder, its verdicts, and what of its front was stopped."""
    for line in table.notes:
        console.print(line, soft_wrap=True)
    console.print(figures(f"{folder}: {len(table.models)} models", found))
    for one in found:
        if reason := one.why_not(table):
            console.print(f"left out: {one.name}: {reason}", soft_wrap=True)
    known = {one.name: runs for one, runs in found.items() if runs}
    for line in verdicts(known):
        console.print(line, soft_wrap=True, highlight=False)
    judged = {name: known[name] for name in JUDGED if name in known}
    if judged:
        console.print(stopped_table(leaders(table, noise), judged, noise))
    report_without_luck(console, folder, ExpectedLosses(table, noise), found)


def report_without_luck(
    console: Console, folder: Path, expected: ExpectedLosses, found: dict[Contender, list[Run]]
) -> None:
    """The same runs, measured by the losses that may be expected."""
    table = without_luck(expected)
    again = {one: [measured(run, table) for run in runs] for one, runs in found.items() if runs}
    if not again:
        return
    console.print(figures(f"{folder}, by expected losses (noise {expected.noise:.3f} nats)", again))
    for line in against_random(FRONT, enough({one.name: runs for one, runs in again.items()})):
        console.print(f"by expected losses: {line}", soft_wrap=True, highlight=False)


def figures(title: str, found: dict[Contender, list[Run]]) -> RichTable:
    """A line a strategy: medians, each with its interval."""
    to = [f"to {share:.0%}" for share in SHARES]
    at = [f"at {trainings}" for trainings in TRAININGS]
    out = RichTable("", "seeds", *to, *at, "seconds", title=f"{title}; trainings to, and hypervolume at, in %")
    for one, runs in found.items():
        if runs:
            trainings = [_cell(median_of([run.trainings_to[i] for run in runs])) for i in range(len(SHARES))]
            volumes = [_cell(median_of([100 * run.hypervolume_at[i] for run in runs])) for i in range(len(TRAININGS))]
            out.add_row(one.name, str(len(runs)), *trainings, *volumes, f"{seconds_of(runs):.1f}")
    return out


def _cell(figure: Interval) -> str:
    ends = _number(figure.low), _number(figure.high)
    return f"{_number(figure.middle)}\n" + (f"({ends[0]}, {ends[1]})" if ends[0] != ends[1] else "")


def _number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.1f}"
