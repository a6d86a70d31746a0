"""`msarch replay`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import Here
from support.made_up_table import COMBINATIONS, made_up_table


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of sixteen models."""
    folder = tmp_path_factory.mktemp("command")
    made_up_table(folder, COMBINATIONS[::3])
    return folder


def test_a_baseline_as_json(here: Here) -> None:
    done = here("replay", "table", "--sampler", "random", "--pruner", "none", "--seeds", 7, "--format", "json")
    assert done.returncode == 0 and done.stderr == ""
    found = json.loads(done.stdout)
    assert (found["strategy"], found["seeds"], found["pruned"]) == ("random + none", 7, 0)
    assert (
        found["hypervolume_at"]["40"] == 1.0
        and 1 <= found["trainings_to"]["0.90"] <= found["trainings_to"]["0.98"] <= 16
    )


def test_the_default_strategy_as_a_table(here: Here) -> None:
    done = here("replay", "table", "--seeds", 1, "--trainings", 8)
    assert done.returncode == 0
    assert done.stdout.startswith("front on the 16 models of table: 1 replay, each stopped after 8 trainings")
    assert "trainings to 95 % of the hypervolume" in done.stdout and "of these, on the true front" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "error: there is no results folder nowhere; there are: table"),
        (["grid.yaml"], "error: grid.yaml is a file, not a results folder"),
        (["table", "--sampler", "tpee"], "error: --sampler: unknown sampler 'tpee', did you mean 'tpe'?"),
        (["table", "--pruner", "asha"], "error: --pruner: unknown pruner 'asha'"),
        (["table", "--seeds", "0"], "error: Invalid value for '--seeds': must be a whole number above 0, got '0'"),
        (["table", "--format", "csv"], "error: --format: unknown format 'csv'. Legal: json, table"),
    ],
)
def test_a_mistake_is_one_line(here: Here, arguments: list[str], line: str) -> None:
    done = here("replay", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(line) and done.stderr.count("\n") == 1
