"""Every space that ships loads, draws candidates, is commented, and can meet its limits."""

from __future__ import annotations

import optuna
import pytest

from msarch.config.variants import VARIANTS
from search.space.files import shipped_spaces
from search.space.limits import check_limits, violations
from search.space.load import load_space

SPACES = sorted(shipped_spaces())


def test_there_is_one_for_each_variant_and_each_purpose() -> None:
    assert {"quickstart", "novels", "gpu-24gb", "paper-bookcorpus", "paper-literal", *VARIANTS} <= set(SPACES)


@pytest.mark.parametrize("name", SPACES)
def test_it_draws_candidates_and_records_itself(name: str) -> None:
    space = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    candidates = [space.suggest(study.ask()) for _ in range(20)]
    assert {candidate.model.variant for candidate in candidates} <= set(space.branches)
    assert len({candidate.digest() for candidate in candidates}) > 5
    assert all(candidate.training.steps(candidate.model.context) > 50 for candidate in candidates)


@pytest.mark.parametrize("name", SPACES)
def test_it_is_commented_for_a_newcomer(name: str) -> None:
    text = shipped_spaces()[name]
    assert text.startswith("# ") and text.count("#") >= 8
    assert f"msarch search {name}" in text


def test_quickstart_searches_all_variants_on_the_embedded_corpus() -> None:
    space = load_space("quickstart")
    assert set(space.branches) == {"vanilla", "top_down", "bottom_up", "retina"}
    assert space.corpus.source == "python-docs" and space.search.tokens == 11_000_000


def test_the_papers_space_holds_its_baselines_and_30_layers() -> None:
    space = load_space("paper-bookcorpus")
    layers = {name: [str(allocation) for allocation in branch.layers] for name, branch in space.branches.items()}
    assert {"6@1", "10@1", "14@1"} <= set(layers["vanilla"])
    assert {"12@16 9@4 9@1", "12@16 12@4 6@1"} <= set(layers["top_down"])
    for text in (*layers["top_down"], *layers["bottom_up"]):
        assert sum(int(stage.split("@")[0]) for stage in text.split()) == 30
    assert space.search.trials == space.combinations()


@pytest.mark.parametrize("name", ["quickstart", "top_down"])
def test_its_limits_can_be_met(name: str) -> None:
    check_limits(load_space(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_its_candidates_are_profiled_and_some_meet_its_limits(name: str) -> None:
    from msarch.memory.candidate_profile import profile_candidate

    space = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    candidates = [space.suggest(study.ask()) for _ in range(20)]
    broken = [violations(space, candidate, profile_candidate(candidate)) for candidate in candidates]
    assert any(all(amount <= 0 for amount in each.values()) for each in broken)
