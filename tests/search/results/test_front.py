"""The front, best, knee and hypervolume, on hand-made figures and against brute force."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from msarch.errors import UserError
from search.ledger.metrics import metric, objective_values
from search.ledger.records import TrialRecord
from search.results.front import best, hypervolume, knee, pareto_front, reference_point, select

MIB = 2**20
Maker = Callable[..., TrialRecord]


def numbers(records: list[TrialRecord]) -> list[int]:
    return [record.number for record in records]


def test_front_holds_what_none_beats_cheapest_first(make_record: Maker) -> None:
    records = [
        make_record(0, 80, 100),
        make_record(1, 100, 50),
        make_record(2, 101, 60),  # beaten by 1 in both
        make_record(3, 80, 120),  # beaten by 0 in memory alone
    ]
    assert numbers(pareto_front(records)) == [1, 0]


def test_equal_points_appear_once_under_the_lowest_number(make_record: Maker) -> None:
    assert numbers(pareto_front([make_record(4, 80, 100), make_record(2, 80, 100)])) == [2]


@pytest.mark.parametrize("state", ["pruned", "infeasible", "duplicate", "failed", "running"])
def test_only_complete_trials_enter_the_front(make_record: Maker, state: str) -> None:
    assert numbers(pareto_front([make_record(0, 80, 100), make_record(1, 10, 10, state=state)])) == [0]


def test_a_trial_without_a_figure_or_with_an_infinite_one_is_left_out(make_record: Maker) -> None:
    records = [make_record(0, 80, 100), make_record(1, 70, 90, profile={}), make_record(2, 70, 90, loss=math.inf)]
    assert numbers(pareto_front(records)) == [0]


@pytest.mark.parametrize(
    "objectives", [("perplexity",), ("perplexity", "memory"), ("memory", "cache", "bits_per_byte")]
)
def test_front_equals_brute_force(make_records: Callable[..., list[TrialRecord]], objectives: tuple[str, ...]) -> None:
    records = [record for record in make_records(60, seed=3) if record.state == "complete"]
    figures = {record.number: objective_values(record, objectives) for record in records}

    def beaten(values: Any) -> bool:
        return any(
            all(a <= b for a, b in zip(other, values, strict=True)) and other != values
            for other in figures.values()
            if other
        )

    front = pareto_front(records, objectives)
    assert {figures[number] for number in numbers(front)} == {v for v in figures.values() if not beaten(v)}
    assert len({figures[number] for number in numbers(front)}) == len(front)


def test_best_is_the_lowest_perplexity_within_the_memory_allowed(make_record: Maker) -> None:
    records = [make_record(0, 80, 100), make_record(1, 90, 50), make_record(2, 80, 90)]
    assert best(records) is records[2]
    assert best(records, 60 * MIB) is records[1]
    assert best(records, 10 * MIB) is None


def test_knee_is_farthest_from_the_line_between_the_ends(make_record: Maker) -> None:
    # memory is logarithmic: on that axis 40 MiB lies in the middle of 20 and 80, and trial 1 bends the front most
    records = [make_record(0, 100, 20), make_record(1, 62, 40), make_record(2, 60, 60), make_record(3, 59, 80)]
    assert knee(records) is records[1]
    assert knee(records, max_memory=20 * MIB) is records[0]
    assert knee(records[:2]) is records[1]
    assert knee([]) is None


def test_knee_scales_memory_logarithmically(make_record: Maker) -> None:
    # 1 lies 0.30 from the line, 2 lies 0.25; were memory linear, 1 would lie 0.36 and 2 0.49 from it
    points = [(100, 1), (36, 10), (10, 100), (1, 1000)]
    records = [make_record(number, 1 + perplexity, memory) for number, (perplexity, memory) in enumerate(points)]
    assert knee(records) is records[1]


def test_order_and_knee_do_not_depend_on_the_order_of_objectives(make_record: Maker) -> None:
    records = [make_record(0, 100, 20), make_record(1, 62, 40), make_record(2, 60, 80)]
    for objectives in (("perplexity", "memory"), ("memory", "perplexity")):
        assert numbers(pareto_front(records, objectives)) == [0, 1, 2]
        assert knee(records, objectives) is records[1]


def test_hypervolume_is_an_area_over_loss_and_log_memory(make_record: Maker) -> None:
    records = [make_record(0, 20, 20), make_record(1, 40, 10)]
    reference = {"perplexity": 80.0, "memory": 40.0 * MIB}
    assert hypervolume(records, reference=reference) == pytest.approx(3 * math.log(2) ** 2)
    assert hypervolume(records[:1], reference=reference) == pytest.approx(2 * math.log(2) ** 2)
    assert hypervolume(records, reference={"perplexity": 10.0, "memory": 1.0 * MIB}) == 0
    assert hypervolume([], reference=reference) == 0


@pytest.mark.parametrize("objectives", [("perplexity", "memory"), ("bits_per_byte", "memory", "parameters")])
def test_hypervolume_equals_sampling(
    make_records: Callable[..., list[TrialRecord]], objectives: tuple[str, ...]
) -> None:
    records = make_records(40, seed=1)
    reference = reference_point(records, objectives)
    front = [objective_values(record, objectives) or () for record in pareto_front(records, objectives)]

    def scaled(values: tuple[float, ...]) -> list[float]:
        pairs = zip(values, objectives, strict=True)
        return [value if name == "bits_per_byte" else math.log(value) for value, name in pairs]

    points, corner = [scaled(values) for values in front], scaled(tuple(reference.values()))
    low = [min(axis) for axis in zip(*points, strict=True)]
    random_ = random.Random(0)
    samples = [[random_.uniform(a, b) for a, b in zip(low, corner, strict=True)] for _ in range(20_000)]
    inside = sum(any(all(a <= b for a, b in zip(p, s, strict=True)) for p in points) for s in samples)
    box = math.prod(b - a for a, b in zip(low, corner, strict=True))
    assert hypervolume(records, objectives, reference=reference) == pytest.approx(box * inside / 20_000, rel=0.03)


def test_reference_point_is_the_limit_and_a_model_that_knows_nothing(make_record: Maker) -> None:
    records = [make_record(0, 20, 20), make_record(1, 40, 900, state="infeasible")]
    assert reference_point(records) == {"perplexity": 1024, "memory": 900 * MIB}
    assert reference_point(records, limits={"memory": 64 * MIB})["memory"] == 64 * MIB
    assert reference_point([], ("bits_per_byte", "cache")) == {"bits_per_byte": 8.0, "cache": 1.0}


def test_select_finds_best_knee_and_numbers(make_record: Maker) -> None:
    records = [make_record(0, 100, 20), make_record(1, 62, 40), make_record(2, 60, 80)]
    assert select(records, "best") is records[2]
    assert select(records, "knee") is records[1]
    assert select(records, "0") is records[0]
    assert select(records, "best", max_memory=40 * MIB) is records[1]


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("7", "no trial 7: trials 0 to 5 exist"),
        ("worst", "unknown trial 'worst': give best, knee or a number, trials 0 to 5 exist"),
        ("-1", "give best, knee or a number"),
        ("1", "trial 1 is pruned"),
        ("2", "trial 2 is infeasible \\(memory: 312 MiB > 256 MiB\\)"),
        ("3", "duplicate of trial 0: choose trial 0"),
        ("4", "trial 4 is failed \\(the loss is not finite at step 3\\)"),
        ("5", "trial 5 is paused, trained only in part: choose a complete trial, or resume the search with more --tok"),
    ],
)
def test_select_says_why_a_trial_cannot_be_chosen(make_record: Maker, which: str, message: str) -> None:
    records = [
        make_record(0, 100, 20),
        make_record(1, 62, 40, state="pruned"),
        make_record(2, 60, 312, state="infeasible", violation="memory: 312 MiB > 256 MiB"),
        make_record(3, 60, 80, state="duplicate", twin=0),
        make_record(4, 60, 80, state="failed", error="the loss is not finite at step 3"),
        make_record(5, 60, 80, state="pruned", paused=True),
    ]
    with pytest.raises(UserError, match=message):
        select(records, which)


def test_select_names_the_smallest_trial_where_none_fits(make_record: Maker) -> None:
    records = [make_record(0, 100, 20), make_record(1, 62, 40)]
    with pytest.raises(UserError, match="no complete trial fits 10 MiB: the smallest, trial 0, needs 20 MiB"):
        select(records, "best", max_memory=10 * MIB)
    with pytest.raises(UserError, match="trial 1 needs 40 MiB, more than the 30 MiB allowed"):
        select(records, "1", max_memory=30 * MIB)
    with pytest.raises(UserError, match="no trial is complete: 1 pruned"):
        select([make_record(0, 62, 40, state="pruned")], "knee")
    with pytest.raises(UserError, match="no complete trial has the figures"):
        select([make_record(0, 62, 40, profile={})], "best", max_memory=10 * MIB)
    with pytest.raises(UserError, match="no trial exists yet"):
        select([], "3")


def test_step_time_follows_from_the_last_validation(make_record: Maker) -> None:
    record = make_record(0, 100, 20)  # 20 s for 1 M tokens, 2048 tokens a step
    assert metric(record, "step_seconds") == pytest.approx(20 * 2048 / 1_000_000)
    assert metric(make_record(0, 100, 20, curve=()), "step_seconds") is None
