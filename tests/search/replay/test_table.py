"""Which results folders are tables, and what a table says of its models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import drive, open_in, space_in
from support.made_up_table import COMBINATIONS, made_up_table
from support.paused_search import Workers, front_space

from msarch.errors import UserError
from search.ledger.reading import LedgerContents, read_ledger
from search.ledger.records import TrialRecord
from search.replay.replay import Strategy, replay
from search.replay.table import Table, read_table, table_of
from search.results.front import pareto_front

BEFORE = Path(__file__).parents[2] / "data" / "before_checksums"


def test_every_model_has_its_parameters_and_figures(table: Table) -> None:
    assert len(table.models) == len(COMBINATIONS) == 48 and table.notes == () and table.tokens == 20_000
    for model, design in zip(table.models, COMBINATIONS, strict=True):
        assert model.params["variant"] == design["variant"] == model.record.candidate.model.variant
        assert model.params["d_model"] == design["d_model"] == model.record.candidate.model.d_model
        assert model.params["learning_rate"] == model.record.candidate.training.learning_rate
        assert [point.rung for point in model.record.curve] == [0, 1, 2, 3, 4, 5]


def test_the_hypervolume_is_over_log_memory_and_loss(table: Table) -> None:
    records = [model.record for model in table.models]
    points = sorted((math.log(r.profile["memory_bytes"]), r.curve[-1].loss) for r in records)
    most, worst = max(memory for memory, _ in points), max(loss for _, loss in points)
    area, lowest = 0.0, worst
    for memory, loss in points:
        if loss < lowest:
            area, lowest = area + (most - memory) * (lowest - loss), loss
    assert table.whole_volume == pytest.approx(area, rel=1e-9)
    assert table.volume(pareto_front(records)) == pytest.approx(table.whole_volume, rel=1e-12)
    assert table.volume([]) == 0


def test_pruned_models_of_the_true_front_are_counted(table: Table) -> None:
    front = [record.number for record in pareto_front(model.record for model in table.models)]
    behind = [model.record.number for model in table.models if model.record.number not in front]
    assert table.front_among(front) == len(front) > 3
    assert table.front_among(behind) == 0 and table.front_among([]) == 0
    assert table.front_among([front[0], *behind]) == 1


def test_what_was_pruned_is_left_out_and_noted(tmp_path: Path) -> None:
    space = space_in(tmp_path)
    drive(open_in(space, tmp_path / "out"))
    found = read_table(tmp_path / "out")
    assert 3 <= len(found.models) < 24 and {model.record.state for model in found.models} == {"complete"}
    pruned = 24 - len(found.models)
    assert found.notes == (
        f"the table holds complete trials alone; left out: {pruned} pruned",
        "a pruner chose what the table holds, which flatters strategies: train it with search.pruner=none",
    )


def test_what_was_paused_is_called_so_and_front_chose(tmp_path: Path) -> None:
    coordinator = open_in(front_space(tmp_path), tmp_path / "out", trials=6)
    Workers().run(coordinator)
    paused = sum(record.paused for record in coordinator.records())
    found = read_table(tmp_path / "out")
    assert paused and found.notes == (
        f"the table holds complete trials alone; left out: {paused} paused",
        "the strategy front chose what the table holds, which flatters strategies: train it with "
        "search.sampler=random and search.pruner=none",
    )


def test_two_models_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"table: holds 2 trials .* at least 3; search it with search.pruner=none"):
        read_table(made_up_table(tmp_path, COMBINATIONS[:2]))


def test_models_without_a_trade_off_are_no_table(tmp_path: Path) -> None:
    same_memory = [
        design for design in COMBINATIONS if (design["layers"], design["d_model"]) in (("4@1", 16), ("2@1", 32))
    ]
    with pytest.raises(UserError, match="hypervolume is 0; a table needs more models"):
        read_table(made_up_table(tmp_path, same_memory))


def test_a_folder_that_is_not_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no results folder"):
        read_table(tmp_path / "nowhere")


def test_a_table_of_an_earlier_version_is_read() -> None:
    found = read_table(BEFORE)
    assert [str(model.params["variant"]) for model in found.models] == ["vanilla", "top_down", "top_down"]
    assert found.tokens == 8192 and found.notes[0].startswith("recorded by an earlier version")
    assert [one.found[-1][1] for one in replay(found, Strategy(), range(3))] == [1.0] * 3


def _without_space(contents: LedgerContents) -> LedgerContents:
    return replace(contents, study_attributes={})


def _of_another_space(contents: LedgerContents) -> LedgerContents:
    identity = contents.study_attributes["identity"]
    model = {**identity["model"], "dropout": {"min": 0.0, "max": 0.5}}
    return replace(contents, study_attributes={"identity": {**identity, "model": model}})


def _of_a_later_space(contents: LedgerContents) -> LedgerContents:
    identity = contents.study_attributes["identity"]
    return replace(contents, study_attributes={"identity": {**identity, "model": {**identity["model"], "new": 1}}})


def _without_rungs(contents: LedgerContents) -> LedgerContents:
    first, *others = contents.records
    return replace(contents, records=[replace(first, curve=first.curve[:4]), *others])


def _without_memory(contents: LedgerContents) -> LedgerContents:
    first, *others = contents.records
    return replace(contents, records=[replace(first, profile={"parameters": 7}), *others])


def _with_a_twin(contents: LedgerContents) -> LedgerContents:
    twin: TrialRecord = replace(contents.records[1], number=99)
    return replace(
        contents, records=[*contents.records, twin], params={**contents.params, 99: dict(contents.params[1])}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_space, "has no record of the space that was searched"),
        (_of_another_space, "trial 0 is not of the space that its search recorded: .*dropout"),
        (_of_a_later_space, r"the recorded space\.model\.new: unknown key 'new'"),
        (_without_rungs, "trial 0 is complete with 4 of its 6 rungs; a table needs all of them"),
        (_without_memory, "trial 0 has no recorded memory"),
        (_with_a_twin, "trials 1 and 99 have the same parameters; a table holds a model once"),
    ],
)
def test_a_ledger_that_is_no_table_is_refused_in_one_line(
    table_folder: Path, change: Callable[[Any], Any], message: str
) -> None:
    contents = change(read_ledger(table_folder))
    with pytest.raises(UserError, match=message):
        table_of(contents)
