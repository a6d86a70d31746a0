"""Of the front's models that a strategy began to train: how many did it stop?

Those count that end more than the noise of a seed below every model that costs no more. A model that leads by less may
be on the front by luck, and nothing is lost when it is stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.table import Table as RichTable

from benchmarks.options import seed_noise
from benchmarks.search_efficiency.orders import true_front
from benchmarks.search_efficiency.runs import Run
from benchmarks.seed_noise import FILE as SEEDS
from msarch.units import format_bytes
from search.ledger.records import TrialRecord
from search.propose.false_prunes import costs_of
from search.propose.pareto_rule import costs_no_more
from search.replay.table import Table

SOME_NOISE = 0.02
"""Nats, where nobody has measured it."""


@dataclass(frozen=True)
class Leader:
    """A model of the front; `lead` in nats before all models that cost no more, infinite where there are none."""

    record: TrialRecord
    lead: float


def leaders(table: Table, noise: float) -> list[Leader]:
    """The models of the front that lead by more than the noise, the cheapest first."""
    found = [Leader(record, _lead(record, table)) for record in true_front(table)]
    return [one for one in found if one.lead > noise]


def _lead(record: TrialRecord, table: Table) -> float:
    costs = costs_of(record.profile, table.objectives)
    rivals = [
        other.record.curve[-1].loss
        for other in table.models
        if other.record is not record and costs_no_more(costs_of(other.record.profile, table.objectives), costs)
    ]
    return min(rivals) - record.curve[-1].loss if rivals else math.inf


def noise_of(folder: Path, table: Table) -> float:
    """The standard deviation between seeds in nats, from what `benchmarks.seed_noise` trained; else `SOME_NOISE`."""
    file = folder / SEEDS
    if not file.exists():
        return SOME_NOISE
    runs = pd.read_csv(file)
    ends = {model.record.number: model.record.curve[-1] for model in table.models}
    groups = [
        [end.loss, *runs[(runs.trial == number) & (runs.rung == end.rung)].loss.tolist()]
        for number, end in ends.items()
    ]
    noise, freedom = seed_noise(groups)
    return noise if freedom else SOME_NOISE


def stopped_table(front: Sequence[Leader], found: Mapping[str, Sequence[Run]], noise: float) -> RichTable:
    """Each leader with how often each strategy stopped it, of how often it began; and sums by variant and by depth."""
    out = RichTable(
        "memory",
        "variant",
        "layers",
        "lead",
        *found,
        title=f"front models that lead by over {noise:.3f} nats: stopped / begun",
    )
    for one in front:
        model = one.record.candidate.model
        lead = "no rival" if math.isinf(one.lead) else f"{one.lead:.3f}"
        cells = [_stopped([one], runs) for runs in found.values()]
        out.add_row(format_bytes(one.record.profile["memory_bytes"]), model.variant, model.layers, lead, *cells)
    for name, group in _groups(front):
        out.add_row("", name, "", "", *(_stopped(group, runs) for runs in found.values()))
    return out


def _groups(front: Sequence[Leader]) -> Iterator[tuple[str, list[Leader]]]:
    def grouped(key: Callable[[TrialRecord], str]) -> Iterator[tuple[str, list[Leader]]]:
        for name in sorted({key(one.record) for one in front}):
            yield name, [one for one in front if key(one.record) == name]

    yield from grouped(lambda record: f"all {record.candidate.model.variant}")
    yield from grouped(lambda record: f"all of {record.candidate.model.n_layers:2} layers")


def _stopped(group: Sequence[Leader], runs: Sequence[Run]) -> str:
    numbers = {one.record.number for one in group}
    begun = sum(len(numbers & run.begun) for run in runs)
    return f"{sum(len(numbers & run.stopped) for run in runs)} / {begun}"
