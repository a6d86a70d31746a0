"""The reference tables that ship: whole, unharmed, and fit for a replay."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from msarch import load_results
from search.replay.table import read_table

RESULTS = Path(__file__).parents[1] / "results"
SIZES = {"reference": 138, "reference-shakespeare": 96, "reference-python": 102}


@pytest.mark.parametrize(("name", "models"), SIZES.items())
def test_every_model_of_a_reference_table_was_trained_to_its_end(name: str, models: int) -> None:
    results = load_results(RESULTS / name)
    table = read_table(RESULTS / name)
    assert len(results.records) == len(table.models) == models
    assert table.space.combinations() == models, "every combination of its space stands in it"
    assert {len(model.record.curve) for model in table.models} == {6}


@pytest.mark.parametrize("name", SIZES)
def test_its_csv_files_say_what_its_journal_says(name: str) -> None:
    results = load_results(RESULTS / name)
    losses = pd.read_csv(RESULTS / name / "trials.csv").set_index("trial").loss
    assert all(losses[record.number] == pytest.approx(record.loss, rel=1e-12) for record in results.records)
    assert len(pd.read_csv(RESULTS / name / "curves.csv")) == sum(len(record.curve) for record in results.records)


@pytest.mark.parametrize("name", SIZES)
def test_some_of_its_models_have_two_further_seeds(name: str) -> None:
    noise = pd.read_csv(RESULTS / name / "seed-noise.csv")
    assert noise.trial.nunique() == 20 and noise.groupby("trial").seed.nunique().eq(2).all()
