"""A dry run: what it counts and times, and that it refuses what a search would refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from msarch.errors import UserError
from search.cli.search import _plan_rows
from search.ledger.records import NO_ROOM
from search.run.drawn import Drawn
from search.run.plan import plan_search
from search.run.run_search import run_search
from search.run.timed import at_a_time, chosen_for_slots
from search.run.timing import Timing, time_candidate, time_on_slots
from search.space.load import load_space
from search.space.smallest import smallest_candidates

SPACE = """
corpus: {train: text.txt, tokenizer: bytes}
model:
  context: 32
  d_model: {values: [16, 32]}
  d_head: 16
  variant:
    vanilla: {layers: "1..2@1"}
training: {tokens: 100k, batch_size: 4, learning_rate: 1e-3}
objectives: [perplexity, memory]
search: {strategy: prune, trials: 20}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a text and a space."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("a coarse and a fine scale " * 2000)
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed: for plans of which only what comes before is looked at."""
    timing = Timing(setup=1.0, step=0.1, validation=0.1, save=0.1)
    monkeypatch.setattr("search.run.plan.time_sample", lambda sample, *_, **__: ([(sample[0], timing)], 1.0))


def test_a_plan_adds_up() -> None:
    rates = "training.learning_rate={min: 1e-3, max: 1e-2}"
    free = plan_search(load_space("space.yaml", [rates]), sample=12, timed=2, concurrent=1)
    assert (free.admitted, free.share, free.excluded) == (12, 1.0, {})
    assert free.tokens == 2_000_000 and free.timed == 2
    assert free.memory[0] < free.memory[1] < free.memory[2]
    (low, high), (fastest, slowest) = free.time.seconds, free.time.trial
    assert 0 < fastest < slowest and free.time.startup[1] < high
    assert free.time.startup[0] + 10 * fastest < low < 20 * slowest + free.time.startup[1] < 2 * high


@pytest.mark.usefixtures("quick")
def test_a_plan_counts_what_a_limit_excludes() -> None:
    free = plan_search(load_space("space.yaml"), sample=12, concurrent=1)
    limited = load_space("space.yaml", [f"limits.memory={free.memory[1]}"])
    tight = plan_search(limited, sample=12, concurrent=1)
    assert 0 < tight.admitted < 12 and tight.excluded == {"memory": 12 - tight.admitted}
    assert tight.memory[2] <= free.memory[1]


@pytest.mark.usefixtures("quick")
def test_a_plan_trains_no_more_than_a_finite_space_has() -> None:
    plan = plan_search(load_space("space.yaml", ["search.strategy=front"]), sample=4, timed=1, concurrent=1)
    assert (plan.trials, plan.wanted, plan.tokens) == (4, 20, 400_000)
    assert "all 4 candidates of the space, though 20 were asked for" in str(_plan_rows(plan))


def test_a_limit_that_nothing_of_the_sample_meets_is_told_with_the_smallest() -> None:
    with pytest.raises(UserError, match=r"the parameters of 8k; the smallest has"):
        plan_search(load_space("space.yaml", ["limits.parameters=8k"]), sample=4)


@pytest.mark.parametrize(
    ("constraints", "told"),
    [
        ("[n_layers <= 0, d_model <= 64]", "none of 8 candidates drawn at random meets 'n_layers <= 0'"),
        ("[n_layers <= 1, n_layers >= 2]", "none of 8 .* is admitted; excluded are . by 'n_layers .= .', . by"),
    ],
)
def test_constraints_that_nothing_of_the_sample_meets_are_named(constraints: str, told: str) -> None:
    with pytest.raises(UserError, match=f"constraints: {told}"):
        plan_search(load_space("space.yaml", [f"constraints={constraints}"]), sample=8)


@pytest.mark.parametrize("name", ["trials", "concurrent"])
def test_a_number_that_means_nothing_is_refused(name: str) -> None:
    zero: dict[str, Any] = {name: 0}
    with pytest.raises(UserError, match=f"^{name}: must be a whole number"):
        plan_search(load_space("space.yaml"), **zero)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "empty"), ("na\u00efve ".encode("latin-1") * 999, "UTF-8"), (b"short", "too little text")],
)
def test_a_text_that_a_search_refuses_is_refused_before_anything_is_timed(
    content: bytes, told: str, folder: Path
) -> None:
    """The same line, whatever is wrong with the text."""
    (folder / "text.txt").write_bytes(content)
    space = load_space("space.yaml")
    with pytest.raises(UserError, match=told) as planned:
        plan_search(space)
    with pytest.raises(UserError) as searched:
        run_search(space)
    assert str(planned.value) == str(searched.value) and planned.value.key.startswith("corpus.")


def test_a_rate_at_which_every_loss_runs_away_is_timed_all_the_same() -> None:
    overrides = ["training.learning_rate=1e15", "training.clip=0", "training.weight_decay=0"]
    candidate = smallest_candidates(load_space("space.yaml", overrides))[0]
    timing = time_candidate(candidate, "cpu")
    assert timing.step > 0 < timing.validation


def test_a_trial_is_timed_as_it_would_be_trained() -> None:
    candidate = smallest_candidates(load_space("space.yaml"))[0]
    ((timing,), (again,)), start = time_on_slots([[candidate], [candidate]], "cpu")
    assert start > 0 and min(timing.setup, timing.step, timing.validation, timing.save) > 0
    steps = candidate.training.steps(candidate.model.context)
    assert timing.trial_seconds(candidate) > steps * timing.step
    assert again.step > 0


@pytest.mark.usefixtures("quick")
def test_candidates_that_a_search_would_refuse_for_want_of_memory_are_neither_timed_nor_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = load_space("space.yaml")
    free = 2 * plan_search(space, sample=12, timed=1, concurrent=1).memory[1]  # half of it is for the models
    monkeypatch.setattr("search.run.plan.free_memory", lambda: free)
    plan = plan_search(space, sample=12, timed=1, concurrent=1)
    assert plan.excluded == {NO_ROOM: 12 - plan.admitted} and plan.memory[2] <= free // 2
    monkeypatch.setattr("search.run.plan.free_memory", lambda: 200_000)
    with pytest.raises(
        UserError, match=r"none of 12 .* fits into the 97.7 KiB free .*; the smallest needs [0-9.]+ KiB"
    ):
        plan_search(space, sample=12, timed=1, concurrent=1)


def drawn(memory: int) -> Drawn:
    """A made-up candidate whose cost grows with its memory."""
    candidate = smallest_candidates(load_space("space.yaml"))[0]
    return Drawn(candidate=candidate, profile={"memory_bytes": memory, "flops_per_token": memory}, excluded_by=[])


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (None, [[10, 50], [20, 60], [30, 70], [40, 80]]),
        (260, [[10, 50], [20, 60], [30, 70], [40, 80]]),
        (259, [[10, 40, 60], [20, 50, 70], [30, 50, 80]]),
        (200, [[10, 30, 50, 70], [20, 40, 60, 80]]),
        (100, [[10, 20, 30, 40, 50, 60, 70, 80]]),
    ],
)
def test_what_is_timed_together_has_room_together(room: int | None, expected: list[list[int]]) -> None:
    sample = [drawn(memory) for memory in range(10, 90, 10)]
    by_slot = chosen_for_slots(sample, 4, at_least=8, room=room)
    assert [[item.memory for item in items] for items in by_slot] == expected


def test_trials_at_a_time_are_those_that_have_room_on_average() -> None:
    timed = [
        (drawn(memory), Timing(setup=0, step=seconds, validation=0, save=0)) for memory, seconds in [(10, 1), (90, 3)]
    ]
    assert [at_a_time(timed, 4, room) for room in (None, 400, 280, 279, 90)] == [4, 4, 4, 3, 1]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("kill -9 $$", "a process was killed, as the system does where memory runs out; set limits.memory"),
        ("kill -11 $$", "a process ended with status -11"),
        ("echo a traceback >&2; echo 'ValueError: why' >&2; exit 1", "failed: ValueError: why"),
    ],
)
def test_a_process_that_dies_while_it_times_is_told_in_one_line(
    script: str, told: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = folder / "python"
    dying.write_text(f"#!/bin/sh\n{script}\n")
    dying.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(dying))
    with pytest.raises(UserError, match=told):
        time_on_slots([smallest_candidates(load_space("space.yaml"))], "cpu")
