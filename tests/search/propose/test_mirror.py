"""The mirror study: made anew where it differs from the records, and never a source of truth."""

from __future__ import annotations

from collections.abc import Callable

import optuna

from search.ledger.records import TrialRecord
from search.propose.mirror import MIRROR, Mirror
from search.propose.pareto_pruner import ParetoPruner

OBJECTIVES = ("perplexity", "memory")


def _mirror(storage: optuna.storages.BaseStorage) -> Mirror:
    return Mirror(storage, ParetoPruner(), OBJECTIVES)


def test_it_is_made_anew_where_it_differs_and_left_where_it_does_not(
    make_records: Callable[..., list[TrialRecord]],
) -> None:
    records = make_records(30)
    storage = optuna.storages.InMemoryStorage()
    assert _mirror(storage).match(records)
    assert not _mirror(storage).match(records)
    assert _mirror(storage).match(records[:-5])
    study = optuna.load_study(study_name=MIRROR, storage=storage)
    trained = [record for record in records[:-5] if record.state in ("complete", "pruned", "failed")]
    assert len(study.trials) >= len(trained)
    for trial in study.trials:
        record = records[trial.user_attrs["number"]]
        assert list(trial.intermediate_values.values()) == [point.loss for point in record.curve]
        assert trial.user_attrs["costs"] == [record.profile["memory_bytes"]]
