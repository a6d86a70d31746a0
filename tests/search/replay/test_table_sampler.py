"""What is proposed from a table: its models alone, each once, as likely as the sampler makes them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import optuna
import pytest
from support.made_up_table import COMBINATIONS, GRID, made_up_table

from search.propose.samplers import make_sampler
from search.replay.drafts import BatchTPE
from search.replay.places import Places
from search.replay.table import Table, TableModel, read_table
from search.replay.table_sampler import TableSampler
from search.space.load import load_space
from search.space.space import Space


def _proposals(table: Table, name: str, seed: int, count: int) -> list[TableModel]:
    """The first `count` proposals, each told its true values."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    places, left, chosen = Places(table.models), set(range(len(table.models))), []
    for number in range(count):
        base = make_sampler(name, seed=seed, number=number)
        study.sampler = sampler = TableSampler(base, table.models, places, left, table.space.suggest)
        trial = study.ask()
        table.space.suggest(trial)
        assert trial.params == sampler.chosen.params  # the study learns the model's own parameters
        chosen.append(sampler.chosen)
        record = sampler.chosen.record
        study.tell(trial, (record.curve[-1].loss, record.profile["memory_bytes"]))
    return chosen


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random", "grid"])
def test_every_model_is_proposed_once(table: Table, name: str) -> None:
    numbers = [model.record.number for model in _proposals(table, name, 0, len(table.models))]
    assert sorted(numbers) == list(range(48))
    again = [model.record.number for model in _proposals(table, name, 0, 12)]
    assert again == numbers[:12]
    assert [model.record.number for model in _proposals(table, name, 1, 12)] != numbers[:12]


def test_the_first_proposals_are_those_of_a_search(table: Table) -> None:
    """Until a search would repeat a model, which a replay skips."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    meant = []
    for number in range(6):
        study.sampler = make_sampler("random", seed=5, number=number)
        trial = study.ask()
        table.space.suggest(trial)
        meant.append(trial.params)
    assert len({str(params) for params in meant}) == 6
    assert [model.params for model in _proposals(table, "random", 5, 6)] == meant


def test_a_branch_is_as_likely_however_much_of_it_is_in_the_table(tmp_path: Path) -> None:
    vanilla = [design for design in COMBINATIONS if design["variant"] == "vanilla"]
    top_down = [design for design in COMBINATIONS if design["variant"] == "top_down"]
    table = read_table(made_up_table(tmp_path, [*vanilla, *top_down[:2]]))
    first = Counter(str(_proposals(table, "random", seed, 1)[0].params["variant"]) for seed in range(200))
    assert 75 <= first["top_down"] <= 125  # 100 of 200 meant, 2 of 26 models


def test_a_table_of_a_small_part_of_a_space_is_proposed_whole(table: Table, tmp_path: Path) -> None:
    few = read_table(made_up_table(tmp_path, COMBINATIONS[::9]))
    assert sorted(model.record.number for model in _proposals(few, "tpe", 0, 6)) == list(range(6))


def _continuous(tmp_path: Path) -> Space:
    file = tmp_path / "continuous.yaml"
    wider = GRID.replace("{values: [16, 32, 64]}", "{min: 16, max: 64, step: 16}")
    file.write_text(wider.replace("{values: [3e-3, 1e-2]}", "{min: 1e-3, max: 1e-1, log: true}"))
    return load_space(file)


def test_a_continuous_parameter_means_the_nearest_model(table: Table, tmp_path: Path) -> None:
    """On the logarithmic axis from 1e-3 to 1e-1; 3e-3 and 1e-2 are parted at 5.5e-3."""
    space = _continuous(tmp_path)
    models = []
    for model in table.models:
        drawn = optuna.trial.FixedTrial(dict(model.params))
        space.suggest(drawn)
        models.append(TableModel(model.record, drawn.params, drawn.distributions))
    places = Places(models)
    params = dict(models[0].params)
    for rate, meant in ((1e-3, 3e-3), (5.3e-3, 3e-3), (5.7e-3, 1e-2), (9e-2, 1e-2)):
        index = places.meant({**params, "learning_rate": rate})
        assert index is not None and models[index].params == {**params, "learning_rate": meant}
    assert places.meant({**params, "d_model": 48}) is None
    nearest = places.nearest({**params, "d_model": 48, "learning_rate": 9e-3}, range(len(models)))
    assert nearest is not None and models[nearest].params["learning_rate"] == 1e-2


def test_a_batch_of_tpe_is_as_many_draws_of_tpe(table: Table) -> None:
    """Each proposal of a batch is the best of 24 samples: models are about as often proposed as one by one."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    for model in table.models[::2]:
        record = model.record
        values = (record.curve[-1].loss, float(record.profile["memory_bytes"]))
        study.add_trial(
            optuna.trial.create_trial(params=dict(model.params), distributions=dict(model.distributions), values=values)
        )
    trial = study.trials[-1]
    sampler = make_sampler("tpe", seed=0, number=50)
    assert isinstance(sampler, optuna.samplers.TPESampler)
    batch, singly, together = BatchTPE.like(sampler), Counter[object](), Counter[object]()
    dists = sampler.infer_relative_search_space(study, trial)
    batch.infer_relative_search_space(study, trial)
    for _ in range(240):
        singly[sampler.sample_relative(study, trial, dists)["d_model"]] += 1
    for _ in range(10):
        batch.sample_relative(study, trial, dists)
        together.update(params["d_model"] for params in batch.take_batch())
    assert singly.total() == together.total() == 240
    assert all(abs(singly[width] - together[width]) < 60 for width in (16, 32, 64)), (singly, together)
