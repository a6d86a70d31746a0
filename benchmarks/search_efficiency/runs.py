"""Finished replays in a CSV, a line each, written as they come: a benchmark that was cut off continues."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msarch.errors import UserError
from search.replay.table import Table
from search.replay.tally import SHARES, TRAININGS, Replay

COLUMNS = (
    "table", "contents", "strategy", "seed",
    *(f"trainings_to_{share:.2f}" for share in SHARES),
    *(f"hypervolume_at_{trainings}" for trainings in TRAININGS),
    "spent", "pruned", "false_prunes", "begun", "stopped", "completed", "seconds",
)  # fmt: skip  # a table reads better


@dataclass(frozen=True)
class Run:
    """One replay of a strategy.

    Attributes:
        trainings_to: each share of the hypervolume, in the order of `SHARES`.
        hypervolume_at: after so many trainings, in the order of `TRAININGS`.
        begun, stopped: models, by the numbers of the table's trials.
        completed: the models that were trained to their end, each with the trainings spent by then.
        seconds: processor time.
    """

    strategy: str
    seed: int
    trainings_to: tuple[float, ...]
    hypervolume_at: tuple[float, ...]
    begun: frozenset[int]
    stopped: frozenset[int]
    seconds: float
    completed: tuple[tuple[int, float], ...] = ()


def contents_of(table: Table) -> str:
    """A hash of a table's models and losses: runs over other ones do not count."""
    digest = hashlib.sha256()
    for model in table.models:
        losses = [point.loss for point in model.record.curve]
        digest.update(repr((model.record.number, model.record.candidate.digest(), losses)).encode())
    return digest.hexdigest()[:12]


class Runs:
    """The runs over one table.

    Args:
        path: of the CSV; it may hold those of other tables too.
        name: of the table.
    """

    def __init__(self, path: Path, name: str, table: Table) -> None:
        self._path, self._name, self._contents = path, name, contents_of(table)
        self._known = {(run.strategy, run.seed): run for run in self._read()}

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._known

    def of(self, strategy: str, seeds: int) -> list[Run]:
        """Those of a strategy, from its first seeds."""
        return [self._known[strategy, seed] for seed in range(seeds) if (strategy, seed) in self._known]

    def add(self, strategy: str, seed: int, found: Replay, seconds: float) -> None:
        """Write one down."""
        row = {
            "table": self._name, "contents": self._contents, "strategy": strategy, "seed": seed,
            **{f"trainings_to_{share:.2f}": found.trainings_to(share) for share in SHARES},
            **{f"hypervolume_at_{trainings}": found.hypervolume_at(trainings) for trainings in TRAININGS},
            "spent": found.spent, "pruned": found.pruned, "false_prunes": found.false_prunes,
            "begun": _joined(found.begun), "stopped": _joined(found.stopped),
            "completed": _joined(f"{n}@{at:.4f}" for n, (at, _) in zip(found.completed, found.found, strict=True)),
            "seconds": round(seconds, 3),
        }  # fmt: skip  # in the order of the columns
        new = not self._path.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        self._known[strategy, seed] = _run(row)

    def _read(self) -> Iterator[Run]:
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise UserError("holds something else than runs of this benchmark; name another", file=str(self._path))
            for row in rows:
                if row["contents"] == self._contents:
                    yield _run(row)


def _run(row: dict[str, Any]) -> Run:
    return Run(
        strategy=row["strategy"],
        seed=int(row["seed"]),
        trainings_to=tuple(float(row[f"trainings_to_{share:.2f}"]) for share in SHARES),
        hypervolume_at=tuple(float(row[f"hypervolume_at_{trainings}"]) for trainings in TRAININGS),
        begun=frozenset(map(int, row["begun"].split())),
        stopped=frozenset(map(int, row["stopped"].split())),
        seconds=float(row["seconds"]),
        completed=tuple(_completed(cell) for cell in row["completed"].split()),
    )


def _completed(cell: str) -> tuple[int, float]:
    number, at = cell.split("@")
    return int(number), float(at)


def _joined(items: Iterable[object]) -> str:
    return " ".join(map(str, items))


def seconds_of(runs: Iterable[Run]) -> float:
    """Their mean processor time; nan without any."""
    known = [run.seconds for run in runs]
    return sum(known) / len(known) if known else math.nan
