"""What further seeds say of a front: intervals, probabilities, and what they leave open."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel
from support.confirmed_runs import runs_of

from msarch.errors import UserError
from search.ledger.records import TrialRecord
from search.results.confirm.confirmation import Confirmation, confirmation
from search.results.confirm.plan import pairs, trials_to_confirm
from search.results.confirm.runs import Run, read_runs, run_file, write_run
from search.show.confirmed import claims_table, models_table, trust

PLANE = ("perplexity", "memory")
Maker = Callable[..., TrialRecord]


def confirmed(*trained: tuple[TrialRecord, tuple[float, ...]]) -> Confirmation:
    runs = [run for record, losses in trained for run in runs_of(record, *losses)]
    found = confirmation([record for record, _ in trained], PLANE, runs)
    assert found is not None
    return found


def test_each_multi_scale_model_has_the_best_vanilla_one_that_costs_no_more(make: Maker) -> None:
    records = [
        make(0, "top_down", 60, 10),
        make(1, "vanilla", 58, 20),
        make(2, "vanilla", 59, 30),
        make(3, "top_down", 50, 40),
    ]
    found = pairs(records, PLANE)
    assert [(pair.point.number, pair.rival and pair.rival.number) for pair in found] == [(0, None), (3, 1)]
    assert [record.number for record in trials_to_confirm(records, PLANE)] == [0, 1, 3]


def test_a_rival_costs_no_more_by_any_of_the_objectives(make: Maker) -> None:
    records = [make(0, "vanilla", 58, 20), make(1, "vanilla", 59, 20), make(2, "top_down", 50, 40)]
    flops = (9e6, 3e6, 6e6)
    records = [
        replace(record, profile=record.profile | {"flops_per_token": each})
        for record, each in zip(records, flops, strict=True)
    ]
    [pair] = pairs(records, (*PLANE, "flops_per_token"))
    assert pair.rival is not None and pair.rival.number == 1


def test_bytes_that_differ_by_less_than_a_hundredth_of_perplexity_read_differently(make: Maker) -> None:
    trained = (make(0, "vanilla", 4.9, 10), (1.561,)), (make(1, "vanilla", 4.8, 20), (1.560,))
    assert [row[4] for row in models_table(confirmed(*trained)).rows] == ["4.764", "4.759"]


def test_the_interval_is_that_of_a_paired_t_test(make: Maker) -> None:
    vanilla, multi = (4.00, 4.05, 4.01, 4.10), (3.95, 4.02, 3.94, 4.06)
    [claim] = confirmed((make(0, "vanilla", 60, 10), vanilla), (make(1, "top_down", 50, 10), multi)).claims
    low, high = ttest_rel(vanilla, multi).confidence_interval(0.95)
    assert (claim.low, claim.high) == pytest.approx((low, high))
    assert claim.gain == pytest.approx(0.0475) and claim.verdict == "better"


def test_a_difference_within_the_noise_is_called_that(make: Maker) -> None:
    [claim] = confirmed(
        (make(0, "vanilla", 60, 10), (4.0, 4.2, 4.1)), (make(1, "top_down", 50, 10), (4.1, 4.0, 4.15))
    ).claims
    assert claim.low is not None and claim.low < 0 and claim.verdict == "within the noise"


def test_one_seed_shows_no_interval_and_no_probability(make: Maker) -> None:
    found = confirmed((make(0, "vanilla", 60, 10), (4.0,)), (make(1, "top_down", 50, 20), (3.9,)))
    assert found.claims[0].verdict == "unknown" and found.claims[0].gain == pytest.approx(0.1)
    assert [model.on_front for model in found.models] == [None, None]
    assert [model.spread for model in found.models] == [None, None]


def test_seeds_alone_make_differences_up_to_the_noise_in_19_of_20_cases(make: Maker) -> None:
    spread, generator = 0.05, np.random.default_rng(0)
    losses = [tuple(map(float, row)) for row in generator.normal(4, spread, (40, 6))]
    found = confirmed(*((make(n, "vanilla", 60 - n, 10 + n), row) for n, row in enumerate(losses)))
    assert found.noise is not None
    pairs_of_equals = generator.normal(4, spread, (100_000, 2))
    assert (np.abs(np.diff(pairs_of_equals)) < found.noise).mean() == pytest.approx(0.95, abs=0.02)
    assert confirmed((make(0, "vanilla", 60, 10), (4.0,))).noise is None


def test_a_headline_says_what_is_noise_and_how_the_best_model_stands_against_vanilla(make: Maker) -> None:
    vanilla, multi = make(0, "vanilla", 60, 10), make(1, "top_down", 50, 20)
    text = trust(confirmed((vanilla, (4.0, 4.2, 4.1)), (multi, (4.1, 4.0, 4.15))), 1)
    assert "Between two models trained once, differences below 0.35 nats are noise." in text
    assert text.endswith("the best vanilla model that costs no more, which is within the noise.")
    text = trust(confirmed((vanilla, (4.00, 4.05, 4.01, 4.10)), (multi, (3.95, 4.02, 3.94, 4.06))), 1)
    assert text.endswith("0.047 nats better than trial 0, the best vanilla model that costs no more.")
    assert (
        trust(confirmed((vanilla, (4.0,)), (multi, (3.9,))), 1)
        == "The front was trained again with further seeds (see below)."
    )


def test_the_probability_to_be_on_the_front(make: Maker) -> None:
    """The cheapest is always on it; of two equal ones the dearer has an even chance; one far behind has none."""
    cheap, equal, behind = make(0, "vanilla", 60, 10), make(1, "top_down", 55, 20), make(2, "top_down", 50, 30)
    seeds = (4.0, 4.1, 4.2)
    found = confirmed((cheap, seeds), (equal, seeds), (behind, tuple(loss + 2 for loss in seeds)))
    first, second, third = (model.on_front for model in found.models)
    assert first == 1.0 and third == 0.0 and second == pytest.approx(0.5, abs=0.02)
    again = confirmed((cheap, seeds), (equal, seeds), (behind, tuple(loss + 2 for loss in seeds)))
    assert [model.on_front for model in again.models] == [first, second, third]


def test_the_search_s_own_seed_and_other_candidates_do_not_count(make: Maker) -> None:
    record = make(0, "top_down", 60, 10)
    own = replace(runs_of(record, 4.0)[0], seed=record.candidate.seed, candidate=record.candidate.digest())
    other = replace(runs_of(record, 4.0)[0], candidate="0" * 16)
    assert confirmation([record], PLANE, [own, other]) is None


def failing(record: TrialRecord, *losses: float | None) -> list[Run]:
    """Runs of which those without a loss failed."""
    runs = runs_of(record, *(4.0 if loss is None else loss for loss in losses))
    return [
        run if loss is not None else replace(run, loss=None, bits_per_byte=None, error="diverged")
        for run, loss in zip(runs, losses, strict=True)
    ]


def test_failed_and_missing_trainings_are_counted(make: Maker) -> None:
    one, two = make(0, "vanilla", 60, 10), make(1, "top_down", 50, 20)
    found = confirmation([one, two], PLANE, failing(one, 4.0, 4.1, None))
    assert found is not None and found.missing == [1] and found.models[0].failed == 1
    assert found.models[0].mean == pytest.approx(4.05) and found.claims == []


def test_a_model_that_never_trains_again_is_told_and_not_asked_for_once_more(make: Maker) -> None:
    vanilla, multi = make(0, "vanilla", 60, 10), make(1, "top_down", 50, 20)
    found = confirmation([vanilla, multi], PLANE, [*failing(vanilla, 4.0, 4.1), *failing(multi, None, None)])
    assert found is not None and found.missing == []
    model = found.models[1]
    assert (model.record.number, model.failed, model.mean, model.on_front) == (1, 2, None, None)
    [claim] = found.claims
    assert (claim.seeds, claim.failed, claim.verdict) == (0, 2, "unknown")
    rows = {row[0]: row for row in models_table(found).rows}
    assert rows["1"][4:] == ["-", "-", "0, 2 failed", "-"]


def test_a_model_that_fails_with_some_seeds_is_not_sure_to_be_on_the_front(make: Maker) -> None:
    vanilla, multi = make(0, "vanilla", 60, 10), make(1, "top_down", 50, 20)
    runs = [*failing(vanilla, 4.0, 4.01, 4.02, 4.0), *failing(multi, 3.5, 3.51, None, None)]
    found = confirmation([vanilla, multi], PLANE, runs)
    assert found is not None
    assert [model.on_front for model in found.models] == [1.0, None]
    [claim] = found.claims
    assert (claim.seeds, claim.failed, claim.verdict) == (2, 2, "better")
    assert "2, 2 failed" in claims_table(found).rows[0]
    assert "2 of the best model's trainings failed" in trust(found, 1)


def test_runs_are_read_as_they_were_written(make: Maker, tmp_path: Path) -> None:
    runs = runs_of(make(3, "vanilla", 60, 10), 4.0, math.pi)
    for run in reversed(runs):
        write_run(tmp_path, run)
    assert read_runs(tmp_path) == runs and read_runs(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("damage", ["altered", "cut", "list"])
def test_a_damaged_run_is_named(make: Maker, tmp_path: Path, damage: str) -> None:
    [run] = runs_of(make(3, "vanilla", 60, 10), 4.0)
    write_run(tmp_path, run)
    path = run_file(tmp_path, 3, run.seed)
    text = path.read_text()
    damaged = {"altered": json.dumps(json.loads(text) | {"loss": 1.0}), "cut": text[:40], "list": "[1]"}
    path.write_text(damaged[damage])
    with pytest.raises(UserError, match=rf"^{path}: is damaged; delete it"):
        read_runs(tmp_path)
