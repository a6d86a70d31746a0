"""Strategies over a small table that was made up: what each is allowed to see, and what is concluded from its runs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.made_up_table import made_up_table

from benchmarks.search_efficiency import command, stopped
from benchmarks.search_efficiency.contenders import BASELINE, CONTENDERS
from benchmarks.search_efficiency.driving import drive
from benchmarks.search_efficiency.gaussian_process import GaussianProcess
from benchmarks.search_efficiency.intervals import NEVER, Interval, median_of, ratio_of
from benchmarks.search_efficiency.optuna_search_asha import OptunaSearchAsha
from benchmarks.search_efficiency.orders import by_parameters, greedily, true_front
from benchmarks.search_efficiency.runs import Run, Runs, contents_of
from benchmarks.search_efficiency.verdicts import verdicts
from benchmarks.seed_noise import FILE as SEEDS
from search.replay.table import Table, read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_table(tmp_path_factory.mktemp("efficiency"))


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return read_table(folder)


HEAD_STARTS = {"all known at 1/8": 1 / 8, "all known at 1/4": 1 / 4, "all known at 1/2": 1 / 2}


@pytest.mark.parametrize(
    "name", [name for name, one in CONTENDERS.items() if one.kind != "ours" and name not in HEAD_STARTS]
)
def test_peers_and_ceilings_train_each_model_once_and_count_what_they_train(table: Table, name: str) -> None:
    if reason := CONTENDERS[name].why_not(table):
        pytest.skip(reason)
    found = CONTENDERS[name].run(table, 0, 12, 0.0)
    assert len(set(found.begun)) == len(found.begun) and set(found.stopped) <= set(found.begun)
    whole = len(found.begun) - len(found.stopped)
    assert len(found.found) == whole and whole <= found.spent < 13
    assert [share for _, share in found.found] == sorted(share for _, share in found.found)
    assert found == CONTENDERS[name].run(table, 0, 12, 0.0)


@pytest.mark.parametrize("name", HEAD_STARTS)
def test_a_head_start_costs_nothing_and_the_rest_of_a_training_what_it_costs(table: Table, name: str) -> None:
    found = CONTENDERS[name].run(table, 0, 6, 0.0)
    rest = 1 - HEAD_STARTS[name]
    whole, stopped = len(found.completed), len(found.stopped)
    assert set(found.begun) == {*found.completed, *found.stopped} and whole == len(found.found)
    assert 6 <= found.spent < 7 and whole > 6  # a training from its beginning costs 1
    assert rest * whole <= found.spent + 0.05 <= rest * whole + (rest - 0.5) * stopped + 0.1  # none stops beyond a half
    assert found == CONTENDERS[name].run(table, 0, 6, 0.0)


def test_greedy_foresight_needs_no_more_trainings_than_anyone(table: Table) -> None:
    best = drive(table, greedily, 0, trainings=40, share=0.98)
    others = [CONTENDERS[name].run(table, 1, 40, 0.98) for name in (BASELINE, "oracle pruner", "parameters as proxy")]
    assert best.trainings_to(0.95) <= min(math.ceil(other.trainings_to(0.95)) for other in others)
    oracle = others[1]
    front = {record.number for record in true_front(table)}
    assert oracle.stopped and not front & set(oracle.stopped)


def test_the_proxy_trains_the_front_of_memory_and_parameters_first(table: Table) -> None:
    order = by_parameters(table, 0)
    first, second = order.propose(), order.propose()
    assert first is not None and second is not None

    def size(model: Any) -> tuple[int, int]:
        profile = model.record.profile
        return profile["memory_bytes"], profile["parameters"]

    for model in (first, second):
        memory, parameters = size(model)
        assert not any(size(other)[0] < memory and size(other)[1] > parameters for other in table.models)


def test_the_gaussian_process_draws_ten_at_random_and_then_learns(table: Table) -> None:
    shares = [drive(table, GaussianProcess, seed, trainings=16, share=0.0).hypervolume_at(16) for seed in range(3)]
    chance = [CONTENDERS[BASELINE].run(table, seed, 16, 0.0).hypervolume_at(16) for seed in range(9)]
    assert sorted(shares)[1] > sorted(chance)[4]


def test_asha_is_asked_at_its_rungs_and_the_searcher_is_told_the_last_loss(table: Table) -> None:
    peer = OptunaSearchAsha(table, 0)
    told = []
    for _ in range(12):
        model = peer.propose()
        assert model is not None
        points = iter(model.record.curve)
        point = next(points)
        while point is not model.record.curve[-1] and peer.goes_on(model, point):
            point = next(points)
        peer.ended(model, point)
        told.append(point)
    study: Any = peer._searcher._ot_study
    assert [trial.value for trial in study.trials] == [point.loss for point in told]
    assert any(point.rung < 5 for point in told) and told[0].rung == 5


def test_a_benchmark_that_was_cut_off_continues(
    folder: Path, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder), "--runs", str(tmp_path / "runs.csv"), "--strategies", "oracle pruner", "greedy foresight"]
    command.main([*arguments, "--seeds", "1"])
    assert "oracle pruner" in capsys.readouterr().out
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert len(lines) == 1 + 1 + 1
    command.main([*arguments, "--seeds", "2"])
    again = (tmp_path / "runs.csv").read_text().splitlines()
    assert again[: len(lines)] == lines and len(again) == 1 + 2 + 1  # one order of greedy is enough
    assert CONTENDERS[BASELINE].seeds_of(20) == 200
    changed = replace(table, models=table.models[1:])
    assert not Runs(tmp_path / "runs.csv", "table", changed).of("oracle pruner", 2)
    assert contents_of(table) != contents_of(changed)
    monkeypatch.setattr(command, "run_missing", None)  # nothing is replayed
    command.main([*arguments, "--seeds", "2", "--show"])


def test_a_file_that_holds_something_else_is_refused_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit) as left:
        command.main([str(folder), "--runs", str(tmp_path / "runs.csv")])
    assert left.value.code == 2 and "holds something else" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([str(folder), "--strategies", "fornt"])
    assert "did you mean 'front'" in capsys.readouterr().err


def test_medians_and_intervals_hold_where_a_share_is_never_reached() -> None:
    some = median_of([1.0, 2.0, 3.0, 4.0, 5.0, math.inf, math.inf])
    assert some.middle == 4 and 1 <= some.low < 4 and math.isinf(some.high)
    assert median_of([math.inf] * 8) == Interval(math.inf, math.inf, math.inf)
    assert median_of([2.5]) == Interval(2.5, 2.5, 2.5)
    ratio = ratio_of([5.0, 6.0, 7.0] * 5, [40.0, 42.0, 50.0] * 9)
    assert ratio.middle == pytest.approx(1 / 7) and ratio.low < 1 / 7 < ratio.high
    assert math.isinf(ratio_of([math.inf] * 3, [3.0] * 3).middle) and NEVER > 1e9


def _runs(name: str, trainings: float, volume: float, seeds: int = 8) -> list[Run]:
    """Replays that differ a little from seed to seed."""
    return [
        Run(
            strategy=name,
            seed=seed,
            trainings_to=(trainings + seed / 8,) * 3,
            hypervolume_at=(volume + seed / 800,) * 4,
            begun=frozenset({1, 2, 3}),
            stopped=frozenset({2} if seed else {}),
            seconds=1.0,
        )
        for seed in range(seeds)
    ]


def test_verdicts_say_whether_the_goal_is_met_and_who_is_ahead() -> None:
    found = {
        BASELINE: _runs(BASELINE, 50, 0.3, 80),
        "front": _runs("front", 6, 0.9),
        "front, 2 workers": _runs("front, 2 workers", 9, 0.85),
        "Optuna GPSampler": _runs("Optuna GPSampler", 5, 0.95),
        "parameters as proxy": _runs("parameters as proxy", 40, 0.5),
        "greedy foresight": _runs("greedy foresight", 2, 1.0, 1),
    }
    lines = list(verdicts(found))
    assert lines[0].startswith("front / random + none to 95%: 0.117") and lines[0].endswith("met")
    assert "peers wholly above front at 5 trainings: Optuna GPSampler" in lines
    assert any(line.startswith("front, 2 workers / one worker, trainings to 98%: 1.46") for line in lines)
    few = {name: runs[:3] for name, runs in found.items()}
    assert list(verdicts(few)) == []  # three seeds prove nothing


def test_where_random_never_gets_there_no_ratio_is_given() -> None:
    found = {BASELINE: _runs(BASELINE, math.inf, 0.3), "front": _runs("front", 6, 0.9)}
    assert list(verdicts(found)) == [
        f"front / random + none to {share}: no ratio, random + none never reached it" for share in ("95%", "98%")
    ]


def test_models_that_lead_by_less_than_the_noise_do_not_count(table: Table) -> None:
    every, clear = stopped.leaders(table, 0.0), stopped.leaders(table, 0.05)
    assert {one.record.number for one in every} == {record.number for record in true_front(table)}
    assert 0 < len(clear) < len(every) and all(one.lead > 0.05 for one in clear)
    numbers = [one.record.number for one in every]
    run = SimpleNamespace(begun=frozenset(numbers[:3]), stopped=frozenset(numbers[:1]))
    assert stopped._stopped(every, [run, run]) == "2 / 6"  # type: ignore[list-item]  # as much of a run as is looked at


def test_the_noise_is_that_of_the_seeds_that_were_trained(table: Table, tmp_path: Path) -> None:
    assert stopped.noise_of(tmp_path, table) == stopped.SOME_NOISE
    end = table.models[0].record.curve[-1]
    rows = [f"0,{seed},{end.rung},{end.tokens},{end.loss + 0.06 * seed},1.0" for seed in (1, 2)]
    (tmp_path / SEEDS).write_text("\n".join(["trial,seed,rung,tokens,loss,bits_per_byte", *rows]))
    assert stopped.noise_of(tmp_path, table) == pytest.approx(0.06)
