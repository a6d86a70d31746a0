"""Is `front` as sure of the losses that it foresees as it may be?

    python -m benchmarks.search_efficiency.calibration results/reference-shakespeare

While `front` searches a table, what it foresees after 5, 10 and 20 trainings is set beside the ends that are known: of
the trials that it paused, by the share of their training that they have, and of the designs that it has not begun.

within 50 %, 90 %  of the ends lie so often in the middle 50 and 90 % of what was foreseen; more says: too unsure
away               root of the mean square of (end - foreseen) / spread; 1 where the spread is honest
better by          mean of foreseen - end, nats: above 0 where models end better than was foreseen, and starve
order              Kendall's tau of the foreseen order with that of the ends: mean over replays with ten or more

Depths and variants are those of paused and of new models together.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table as RichTable
from scipy.stats import kendalltau, norm

from benchmarks.search_efficiency.expected import end_of
from search.propose.front.strategy import Ends, FrontStrategy
from search.replay.executor import TableExecutor
from search.replay.pool import TablePool
from search.replay.replay import Strategy, open_replay, space_under
from search.replay.table import Table, TableModel, read_table
from search.replay.tally import Tally

AFTER = (5, 10, 20)
"""Trainings after which the loss model is asked."""
LAYERS = (0, 2, 4, 6, 100)
"""Edges of the groups of depths: so many layers at most."""
FEWEST = 10
"""Models of a replay without which an order says little."""


def main() -> None:
    """Replay `front` and print a line a group of models."""
    parser = argparse.ArgumentParser(description="Calibration of the losses that the strategy front foresees.")
    parser.add_argument("table", type=Path, metavar="TABLE", help="a results folder")
    parser.add_argument("--seeds", type=int, default=10, help="replays (default 10)")
    arguments = parser.parse_args()
    table = read_table(arguments.table)
    seeds = track(range(arguments.seeds), "replaying", console=Console(stderr=True), transient=True)
    foreseen = pd.concat([replayed(table, seed) for seed in seeds], ignore_index=True)
    Console(width=120).print(report(foreseen, f"{arguments.table}: {arguments.seeds} replays"))


class Watched(TableExecutor):
    """Asks the loss model whenever one more of `AFTER` trainings are spent."""

    def __init__(self, table: Table, seed: int) -> None:
        space = space_under(table, Strategy(strategy="front"), seed)
        coordinator, proposer = open_replay(table, space, 1)
        self._tally = Tally(table, trainings=max(AFTER))
        super().__init__(coordinator, proposer.models, concurrent=1, tally=self._tally)
        self._strategy, self._pool = FrontStrategy(table.objectives, seed), TablePool(table)
        self._of_digest = {model.record.candidate.digest(): model for model in table.models}
        self._due = list(AFTER)
        self.seen: list[pd.DataFrame] = []
        """What was foreseen, each time; `_lines` says which columns."""

    def _reach(self, number: int) -> bool:
        goes_on = super()._reach(number)
        if self._due and self._tally.spent >= self._due[0]:
            self._due.pop(0)
            self._ask()
        return goes_on

    def _ask(self) -> None:
        records, pool = self._coordinator.records(), self._pool(self._coordinator.records())
        known = self._strategy.known(records)
        started, new = self._strategy.foreseen(known, pool)
        paused = [row for row, record in enumerate(known) if record.paused]
        rungs = [known[row].candidate.training.rungs[len(known[row].curve) - 1] for row in paused]
        ends = started[0][paused], started[1][paused]
        self.seen += [
            _lines([self._models[known[row].number] for row in paused], rungs, ends, len(self.seen)),
            _lines([self._of_digest[one.candidate.digest()] for one in pool], [0.0] * len(pool), new, len(self.seen)),
        ]


def replayed(table: Table, seed: int) -> pd.DataFrame:
    """What `front` foresaw in one replay, a line for each model and time."""
    watched = Watched(table, seed)
    watched.run()
    return pd.concat(watched.seen).assign(seed=seed)


def _lines(models: Sequence[TableModel], shares: Sequence[float], foreseen: Ends, time: int) -> pd.DataFrame:
    configs = [model.record.candidate.model for model in models]
    known = {"variant": [one.variant for one in configs], "layers": [one.n_layers for one in configs]}
    ends = [end_of(model).loss for model in models]
    return pd.DataFrame(
        {**known, "share": shares, "end": ends, "mean": foreseen[0], "spread": foreseen[1], "time": time}
    )


def report(foreseen: pd.DataFrame, title: str) -> RichTable:
    """A line a group."""
    out = RichTable("models", "number", "within 50 %", "within 90 %", "away", "better by", "order", title=title)
    for name, group in _groups(foreseen):
        away = (group.end - group["mean"]) / group.spread
        within = [f"{(away.abs() < norm.ppf(0.5 + share / 2)).mean():.0%}" for share in (0.5, 0.9)]
        figures = f"{np.sqrt((away**2).mean()):.2f}", f"{(group['mean'] - group.end).mean():+.3f}", _order(group)
        out.add_row(name, f"{len(group):,}", *within, *figures)
    return out


def _groups(foreseen: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for share in sorted(set(foreseen.share)):
        yield f"paused at {share:.3g}" if share else "not begun", foreseen[foreseen.share == share]
    for layers, group in foreseen.groupby(pd.cut(foreseen.layers, LAYERS), observed=True):
        yield f"{int(layers.left) + 1} to {group.layers.max()} layers", group
    for variant in sorted(set(foreseen.variant)):
        yield variant, foreseen[foreseen.variant == variant]


def _order(group: pd.DataFrame) -> str:
    """Kendall's tau with the ends, mean over replays and times."""
    several = [each for _, each in group.groupby(["seed", "time"]) if len(each) >= FEWEST]
    taus = [kendalltau(each["mean"], each.end).statistic for each in several]
    return f"{np.mean(taus):.2f}" if taus else ""


if __name__ == "__main__":
    main()
