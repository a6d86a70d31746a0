"""A space described: parameters, combinations, an example, what its limits admit."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from msarch import UserError
from msarch.data.tokenizer import byte_tokenizer
from search.show.terminal.space_description import admitted_shares, describe_space, excesses, sample_candidates
from search.space.limits import check_limits
from search.space.load import load_space


def rendered(name: str, *overrides: str, sample: int) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(describe_space(load_space(name, overrides), sample=sample, seconds=math.inf))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_description_names_parameters_combinations_an_example_and_shares() -> None:
    text = rendered("quickstart", "limits.parameters=1k", sample=3)
    for part in ("top_down/layers", "1..4@16 1..4@4 1..2@1", "d_model", "logarithmic", "380 combinations", "► logits"):
        assert part in text
    assert "Of 3 random candidates" in text and "parameters 1k" in text and "0%" in text


def test_the_example_is_drawn_as_wide_as_there_is_room() -> None:
    console = Console(file=io.StringIO(), width=64)
    console.print(describe_space(load_space("quickstart"), sample=0))
    assert isinstance(console.file, io.StringIO)
    assert "► logits" in console.file.getvalue()


@pytest.mark.parametrize(
    ("tokenizer", "shown"),
    [("bytes", "bytes"), ("{file: mine.json}", "mine.json, 256 tokens")],
)
def test_a_fixed_tokenizer_is_named_as_it_was_written(
    tokenizer: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    byte_tokenizer().save(tmp_path / "mine.json")
    lines = rendered("quickstart", f"corpus.tokenizer={tokenizer}", "points=[]", sample=0).splitlines()
    assert [line.split(maxsplit=1)[1].rstrip() for line in lines if line.lstrip().startswith("tokenizer")] == [shown]


def test_a_vocabulary_that_varies_goes_by_its_parameter() -> None:
    overrides = ("corpus.tokenizer={bpe: {values: [512, 1024]}}", "objectives=[bits_per_byte, memory]", "points=[]")
    assert "tokenizer/bpe" in rendered("quickstart", *overrides, sample=0)


def test_a_discrete_space_tells_its_combinations() -> None:
    assert "\n23 combinations" in rendered("paper-bookcorpus", sample=0)


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


def test_a_limit_that_nothing_can_meet_is_told_with_the_smallest_figure() -> None:
    with pytest.raises(UserError) as raised:
        check_limits(load_space("quickstart", ["limits.memory=1MiB"]))
    told = str(raised.value)
    assert "limits.memory: no candidate fits 1 MiB; the smallest (" in told and " MiB" in told.partition("needs")[2]
