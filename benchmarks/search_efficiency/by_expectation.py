"""The same runs measured without luck: each model counts with its expected loss, and not with that of its one seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.search_efficiency.runs import Run
from search.ledger.records import TrialRecord
from search.replay.table import Table
from search.replay.tally import SHARES, TRAININGS, Replay


def measured(run: Run, table: Table) -> Run:
    """A run, which was guided by losses with their luck, with the hypervolume that it found in another table.

    Args:
        table: the same models with other losses.
    """
    found = Replay(tuple(_found(run, table)), 0.0, 0, 0)
    return replace(
        run,
        trainings_to=tuple(found.trainings_to(share) for share in SHARES),
        hypervolume_at=tuple(found.hypervolume_at(trainings) for trainings in TRAININGS),
    )


def _found(run: Run, table: Table) -> Iterator[tuple[float, float]]:
    records = {model.record.number: model.record for model in table.models}
    kept: list[TrialRecord] = []
    volume = 0.0  # what adds nothing now adds nothing later either
    for number, at in run.completed:
        if (larger := table.volume([*kept, records[number]])) > volume:
            kept.append(records[number])
            volume = larger
        yield at, volume / table.whole_volume
