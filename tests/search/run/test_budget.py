"""How much of a budget is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.made_up_search import drive, open_in, space_in
from support.paused_search import Workers, front_space

from search.run.budget import Budget


@pytest.mark.parametrize("trials", [2, 6])
def test_a_search_that_ended_has_spent_its_tokens_and_a_larger_one_has_not(trials: int, tmp_path: Path) -> None:
    space = front_space(tmp_path)
    coordinator = open_in(space, tmp_path / "out", trials=trials)
    assert not Budget.of(space, trials=trials).spent(coordinator.records(), space)
    Workers().run(coordinator)
    records = coordinator.records()
    assert Budget.of(space, trials=trials).spent(records, space)
    assert not Budget.of(space, trials=trials + 2).spent(records, space)


def test_trials_are_spent_when_as_many_were_trained(tmp_path: Path) -> None:
    space = space_in(tmp_path, "search.trials=9")
    coordinator = open_in(space, tmp_path / "out")
    assert not Budget.of(space).spent(coordinator.records(), space)
    drive(coordinator)
    assert Budget.of(space).spent(coordinator.records(), space)


@pytest.mark.parametrize(
    ("overrides", "asked", "trainings"),
    [
        ([], {"trials": 99}, 72),
        ([], {"trials": 71}, 71),
        ([], {"tokens": 99 * 20_000}, 72),
        ([], {"tokens": 50_000}, 2),
        (["training.learning_rate={min: 1e-3, max: 1e-1}"], {"trials": 99}, 99),
    ],
)
def test_a_finite_space_has_no_use_for_more_than_its_candidates_take(
    overrides: list[str], asked: dict[str, int], trainings: int, tmp_path: Path
) -> None:
    space = space_in(tmp_path, "training.learning_rate=1e-2", *overrides)
    budget = Budget(**asked).within(space)
    assert budget.trainings(space) == trainings
    assert (budget.tokens or 0) <= 72 * 20_000
