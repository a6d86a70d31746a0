"""What each variant can do alone, and what came of a search as one comparison."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from search.ledger.records import TrialRecord
from search.results.variants import budgets, doublings, variant_fronts
from search.results.verdict import verdict

MIB = 2**20
PLANE = ("perplexity", "memory")
Maker = Callable[..., TrialRecord]


def test_each_variant_has_a_front_of_its_own(make: Maker) -> None:
    records = [make(0, "top_down", 50, 40), make(1, "vanilla", 60, 30), make(2, "vanilla", 55, 50)]
    reference = {"perplexity": 100.0, "memory": 100.0 * MIB}
    vanilla, top_down = variant_fronts(records, PLANE, reference)
    assert (vanilla.variant, [r.number for r in vanilla.front], vanilla.complete) == ("vanilla", [1, 2], 2)
    assert [record.number for record in top_down.front] == [0]
    assert top_down.hypervolume == pytest.approx(math.log(100 / 50) * math.log(100 / 40))


def test_the_best_of_each_variant_at_each_doubling(make: Maker) -> None:
    records = [make(0, "vanilla", 60, 30), make(1, "vanilla", 55, 50), make(2, "top_down", 50, 40)]
    small, large = budgets(records, PLANE)
    assert (small.cost, large.cost) == (32 * MIB, 64 * MIB)
    assert {variant: record.number for variant, record in small.best.items()} == {"vanilla": 0}
    assert {variant: record.number for variant, record in large.best.items()} == {"vanilla": 1, "top_down": 2}
    assert small.gain("perplexity") is None
    assert large.gain("perplexity") == pytest.approx(math.log(55 / 50))


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("low", "high"), [(3.0, 3.0), (1.1e6, 9.3e8), (64.0, 128.0), (7.0, 7e9)])
def test_doublings_cover_all_costs_in_few_rows(low: float, high: float, binary: bool) -> None:
    found = doublings([low, high], binary)
    assert found[-1] >= high and found[0] >= low and found[0] < 2 * low + 1
    assert len(found) <= 10 and (len(found) < 2 or found[-2] < high)


def test_no_trial_no_verdict(make_record: Maker) -> None:
    assert verdict([make_record(0, 50, 10, state="pruned")], PLANE) is None


def test_a_multi_scale_winner_is_held_against_the_cheapest_vanilla_model_as_good(make: Maker) -> None:
    records = [
        make(0, "top_down", 50.0, 69),
        make(1, "vanilla", 50.4, 100),
        make(2, "vanilla", 50.2, 120),
        make(3, "vanilla", 51.0, 40),
    ]
    found = verdict(records, PLANE)
    assert found is not None and found.rival is not None and found.as_good
    assert (found.best.number, found.rival.number) == (0, 1)
    assert found.extra_cost == pytest.approx(-0.31)


def test_where_none_is_as_good_the_best_of_the_others_is_named(make: Maker) -> None:
    found = verdict([make(0, "vanilla", 50, 69), make(1, "top_down", 60, 10), make(2, "retina", 55, 80)], PLANE)
    assert found is not None and found.rival is not None and not found.as_good
    assert (found.best.number, found.rival.number) == (0, 2)
    assert found.extra_quality == pytest.approx(0.1)
