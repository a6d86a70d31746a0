"""A space described: parameters, combinations, a drawing, what its limits admit."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from msarch import Candidate, ModelConfig, TrainingConfig, UserError
from search.language.describe import admitted_shares, describe_space, excesses, sample_candidates
from search.language.drawing import draw_candidate
from search.language.limits_check import check_limits
from search.language.space import load_space


def rendered(name: str, *overrides: str, sample: int) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(describe_space(load_space(name, overrides), sample=sample))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_description_names_parameters_combinations_an_example_and_shares() -> None:
    text = rendered("quickstart", "limits.parameters=1k", sample=3)
    for part in ("top_down/layers", "1..4@16 1..4@4 1..2@1", "d_model", "logarithmic", "380 combinations", "layers on"):
        assert part in text
    assert "Of 3 random candidates" in text and "parameters 1k" in text and "0%" in text


def test_a_discrete_space_tells_its_combinations() -> None:
    assert "\n22 combinations" in rendered("paper-bookcorpus", sample=0)


def test_a_sample_is_the_same_for_the_same_seed_and_reaches_every_branch() -> None:
    space = load_space("quickstart")
    sample = sample_candidates(space, 60)
    assert sample == sample_candidates(space, 60) != sample_candidates(space, 60, seed=1)
    assert {candidate.model.variant for candidate in sample} == set(space.branches)


def test_shares_count_what_is_admitted() -> None:
    found = [{"memory": -1.0, "n_layers <= 3": 1.0}, {"memory": 0.0, "n_layers <= 3": 0.0}]
    assert admitted_shares(found) == {"memory": 1.0, "n_layers <= 3": 0.5, "all together": 0.5}


def test_time_bounds_the_sample() -> None:
    space = load_space("quickstart")
    assert len(excesses(space, sample_candidates(space, 50), seconds=0.0)) < 50


def test_a_drawing_shows_each_stage_as_wide_as_its_sequence() -> None:
    model = ModelConfig(variant="top_down", layers="3@16 2@1", d_model=64, n_heads=4, vocab_size=1024, context=128)
    lines = draw_candidate(Candidate(model=model, training=TrainingConfig(batch_size=1))).splitlines()
    assert lines[1].count("█") == 2 and lines[1].endswith("3 layers on 8 states")
    assert lines[2].count("█") == 32 and lines[2].endswith("2 layers on 128 states")


def test_a_drawing_of_an_hourglass_narrows_and_widens_again() -> None:
    layers = "2@1 1@2 4@4 0@2 1@1"
    model = ModelConfig(variant="hourglass", layers=layers, d_model=64, n_heads=4, vocab_size=1024, context=128)
    lines = draw_candidate(Candidate(model=model, training=TrainingConfig(batch_size=1))).splitlines()[1:]
    assert [line.count("█") for line in lines] == [32, 16, 8, 0, 32]
    assert lines[2].endswith("4 layers on 32 states") and lines[3].endswith("0 layers on 64 states")


def test_a_limit_that_nothing_can_meet_is_told_with_the_smallest_figure() -> None:
    with pytest.raises(UserError) as raised:
        check_limits(load_space("quickstart", ["limits.memory=1MiB"]))
    told = str(raised.value)
    assert "limits.memory: no candidate fits 1 MiB; the smallest (" in told and " MiB" in told.partition("needs")[2]
