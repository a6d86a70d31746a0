"""What a candidate exceeds has one definition; a space is refused only where nothing in it can meet its limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from msarch import UserError
from msarch.memory.candidate_profile import CandidateProfile, profile_candidate
from search.space.limits import check_limits, violations, worst_violation
from search.space.load import load_space
from search.space.objectives import LIMITS
from search.space.smallest import MOST_COMBINATIONS, smallest_candidates
from search.space.space import Space

WORDS = """
corpus: {tokenizer: {bpe: 512}}
model:
  context: 64
  d_model: {min: 32, max: 64, step: 16}
  d_head: {values: [8, 16]}
  positions: {values: [learned, none]}
  combine: {values: [concat, add]}
  variant: {top_down: {layers: ["1..3@4 1@1", "1@16 1..2@4 1@1"]}}
training: {tokens: 1k, batch_size: 4, attention: {values: [fused, unfused]}}
limits: {parameters: 1M}
"""


def written(folder: Path, *overrides: str, text: str = WORDS) -> Space:
    (folder / "space.yaml").write_text(text)
    return load_space(folder / "space.yaml", overrides)


def figures(space: Space, name: str) -> list[int]:
    """A figure of each of the smallest candidates."""
    return [CandidateProfile(candidate)[LIMITS[name].key] for candidate in smallest_candidates(space)]


def test_a_limit_that_only_one_combination_of_words_meets_is_no_reason_to_refuse(tmp_path: Path) -> None:
    """The smallest has no learned positions and adds its streams: no order of words says so."""
    one = "model.variant.top_down.layers=1..3@4 1@1"
    least, *others = sorted(set(figures(written(tmp_path, one), "parameters")))
    smallest = min(smallest_candidates(written(tmp_path, one)), key=lambda each: CandidateProfile(each)["parameters"])
    assert (smallest.model.positions, smallest.model.combine) == ("none", "add") and least < others[0]
    check_limits(written(tmp_path, one, f"limits.parameters={least}"))
    with pytest.raises(UserError, match=r"limits\.parameters: no candidate fits .*; the smallest \(top_down 1@4 1@1"):
        check_limits(written(tmp_path, one, f"limits.parameters={least - 1}"))


def test_nothing_drawn_at_random_is_smaller_than_the_smallest(tmp_path: Path) -> None:
    changes = ("model.context={values: [32, 64]}", "model.variant.top_down.layers=1..3@4 1@1")
    space = written(tmp_path, *changes, "model.combine=add", "model.positions=none")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [profile_candidate(space.suggest(study.ask())) for _ in range(5)]
    smallest = [profile_candidate(candidate) for candidate in smallest_candidates(space)]
    for limit in LIMITS.values():
        assert min(profile[limit.key] for profile in smallest) <= min(profile[limit.key] for profile in drawn)


def test_there_is_one_for_each_combination_of_words_with_numbers_at_their_cheapest(tmp_path: Path) -> None:
    found = smallest_candidates(written(tmp_path))
    assert len(found) == len({candidate.digest() for candidate in found}) == 2 * 2 * 2 * 2
    assert {(each.model.layers, each.model.d_model, each.model.d_head) for each in found} == {
        ("1@4 1@1", 32, 16),
        ("1@16 1@4 1@1", 32, 16),
    }
    assert found[0].model.combine == "add" and found[0].training.attention == "fused"


def test_beyond_so_many_combinations_nothing_is_refused(tmp_path: Path) -> None:
    space = written(
        tmp_path,
        "model.context={values: [32, 64]}",
        "model.pool={values: [average, conv, attention, query_only]}",
        "training.checkpointing={values: [none, block]}",
        "limits.parameters=1",
    )
    assert MOST_COMBINATIONS < 2**6 * 4 and smallest_candidates(space) == []
    check_limits(space)


def test_limits_that_exclude_each_other_are_told_together(tmp_path: Path) -> None:
    """Blocks that are computed twice need less memory and more operations."""
    change = ("training.checkpointing={values: [none, block]}", "model.combine=add", "model.positions=none")
    space = written(tmp_path, *change)
    memory, flops = min(figures(space, "memory")), min(figures(space, "flops_per_token"))
    check_limits(written(tmp_path, *change, f"limits={{memory: {memory}}}"))
    check_limits(written(tmp_path, *change, f"limits={{flops_per_token: {flops}}}"))
    with pytest.raises(UserError, match=r"limits: no candidate fits memory .* and flops_per_token .* together; "):
        check_limits(written(tmp_path, *change, f"limits={{memory: {memory}, flops_per_token: {flops}}}"))


def test_violations_are_shares_of_limits_and_differences_of_constraints(tmp_path: Path) -> None:
    space = written(tmp_path, "limits.parameters=10k", text=WORDS + "constraints: [n_layers <= 1]\n")
    candidate = smallest_candidates(space)[0]
    profile = {"parameters": 15_000}
    broken = violations(space, candidate, profile)
    assert broken == {"parameters": 0.5, "n_layers <= 1": 1}
    assert worst_violation(space, broken, profile) == "n_layers <= 1: does not hold"
    assert worst_violation(space, {"parameters": 0.5}, profile) == "parameters: 15k > 10k"
    assert worst_violation(space, {"parameters": 0.0}, profile) == worst_violation(space, {}, profile) == ""
    assert violations(replace(space, limits={}), candidate, {}) == {"n_layers <= 1": 1}


def test_a_figure_just_above_its_limit_does_not_look_equal_to_it(tmp_path: Path) -> None:
    space = written(tmp_path, "limits={memory: 256MiB, parameters: 5M}")
    profile = {"memory_bytes": 2**28 + 4, "parameters": 5_000_001}
    assert worst_violation(space, {"memory": 1e-9}, profile) == "memory: 268,435,460 bytes > 268,435,456 bytes"
    assert worst_violation(space, {"parameters": 1e-9}, profile) == "parameters: 5,000,001 > 5,000,000"
    assert LIMITS["memory"].format_both(300 * 2**20, 2**28) == ("300 MiB", "256 MiB")
