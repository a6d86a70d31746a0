"""The Pareto-aware pruner on curves made up for the purpose: what it never does, and that it does something."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.propose.pareto_pruner import COSTS, LAST_STEP, NUMBER, ParetoPruner
from search.propose.pareto_rule import Finished, History, ParetoRule, costs_no_more

STEPS = (1, 2, 4, 8)
Curve = tuple[float, list[float]]


def _mirror(complete: list[Curve]) -> optuna.Study:
    study = optuna.create_study(direction="minimize")
    for number, (cost, losses) in enumerate(complete):
        study.add_trial(_trial(number, cost, losses, optuna.trial.TrialState.COMPLETE))
    return study


def _trial(number: int, cost: float, losses: list[float], state: optuna.trial.TrialState) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        state=state,
        value=losses[-1] if state == optuna.trial.TrialState.COMPLETE else None,
        user_attrs={NUMBER: number, COSTS: [cost], LAST_STEP: STEPS[-1]},
        intermediate_values=dict(zip(STEPS, losses, strict=False)),
    )


def _judge(pruner: ParetoPruner, study: optuna.Study, cost: float, losses: list[float], number: int = 10_000) -> bool:
    study.add_trial(_trial(number, cost, losses, optuna.trial.TrialState.RUNNING))
    return pruner.prune(study, study.trials[-1])


def _ordinary(count: int, seed: int = 0) -> list[Curve]:
    """Dearer trials end better, and nobody overtakes anybody."""
    rng = np.random.default_rng(seed)
    ends = sorted(rng.uniform(3.8, 4.4, count), reverse=True)
    return [(float(index + 1), [end + 2, end + 1, end + 0.5, end]) for index, end in enumerate(ends)]


losses_of_a_trial = st.lists(st.floats(1, 12), min_size=4, max_size=4)
trials = st.lists(st.tuples(st.floats(1, 100), losses_of_a_trial), min_size=8, max_size=14)


@settings(max_examples=40)
@given(trials, losses_of_a_trial, st.integers(1, 3))
def test_the_cheapest_is_never_stopped(complete: list[Curve], losses: list[float], rungs: int) -> None:
    cost = min(cost for cost, _ in complete) * 0.999
    assert not _judge(ParetoPruner(ParetoRule(control=0)), _mirror(complete), cost, losses[:rungs])


@settings(max_examples=40)
@given(trials, losses_of_a_trial, st.floats(1, 100))
def test_the_last_rung_never_stops(complete: list[Curve], losses: list[float], cost: float) -> None:
    assert not _judge(ParetoPruner(ParetoRule(control=0)), _mirror(complete), cost, losses)


@settings(max_examples=40)
@given(trials, st.floats(1, 100), st.integers(1, 3))
def test_who_leads_its_rivals_is_never_stopped(complete: list[Curve], cost: float, rungs: int) -> None:
    best = np.min([losses for _, losses in complete], axis=0)
    assert not _judge(ParetoPruner(ParetoRule(control=0)), _mirror(complete), cost, list(best[:rungs]))


def test_a_hopeless_trial_is_stopped_at_the_first_rung() -> None:
    assert _judge(ParetoPruner(ParetoRule(control=0)), _mirror(_ordinary(8)), 9.0, [9.0])


def test_nothing_is_stopped_before_eight_are_complete() -> None:
    assert not _judge(ParetoPruner(ParetoRule(control=0)), _mirror(_ordinary(7)), 9.0, [9.0])


def test_the_same_trial_is_kept_where_only_dearer_ones_were_better() -> None:
    complete = [(cost + 10, losses) for cost, losses in _ordinary(12)]
    assert not _judge(ParetoPruner(ParetoRule(control=0)), _mirror(complete), 5.0, [9.0])
    assert _judge(ParetoPruner(ParetoRule(control=0)), _mirror(complete), 50.0, [9.0])


def test_the_margin_grows_with_how_late_winners_won() -> None:
    cheap = [Finished((1.0,), 5.0, 4.3) for _ in range(4)]
    late = [Finished((2.0,), 5.0 + behind, 4.0) for behind in (0.1, 0.2, 0.4)]
    assert _history([*cheap, *late], 0.0).deficits() == pytest.approx([0.1, 0.2, 0.4])
    assert ParetoRule().margin(_history([*cheap, *late], 0.05)) > 0.4
    assert ParetoRule().margin(_history(cheap, 0.05)) == pytest.approx(0.02)


def _history(finished: list[Finished], slack: float) -> History:
    history = History(slack)
    for one in finished:
        history.add(one)
    return history


def _deficits_one_by_one(finished: list[Finished], slack: float) -> list[float]:
    """The rule as it reads."""
    found = []
    for late in finished:
        gaps = [
            late.loss - rival.loss
            for rival in finished
            if rival is not late and costs_no_more(rival.costs, late.costs) and late.final < rival.final + slack
        ]
        if gaps:
            found.append(max(gaps))
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 9, 64, 65, 300])
@pytest.mark.parametrize("costs", [0, 1, 2])
def test_deficits_are_those_found_one_by_one_to_the_last_bit(count: int, costs: int) -> None:
    rng = np.random.default_rng(count + costs)
    figures = rng.normal(5, 0.5, (count, 2)).round(count % 4 or 9).tolist()  # ties, where few digits are kept
    dues = rng.integers(1, 40, (count, costs)).tolist()
    finished = [Finished(tuple(due), *pair) for due, pair in zip(dues, figures, strict=True)]
    history = _history(finished, 0.05)
    assert history.deficits().tolist() == _deficits_one_by_one(finished, 0.05)
    assert history.losses().tolist() == [one.loss for one in finished] if count else len(history) == 0
    for due in [*dues[:3], [5] * costs]:
        rivals = [one.loss for one in finished if costs_no_more(one.costs, due)]
        assert history.lowest_rival(due) == min(rivals, default=None)


def test_one_in_ten_is_a_control_and_is_marked() -> None:
    pruner = ParetoPruner(ParetoRule(seed=3))
    controls = [number for number in range(2000) if pruner.rule.is_control(number)]
    assert 150 < len(controls) < 250
    study = _mirror(_ordinary(8))
    assert not _judge(pruner, study, 9.0, [9.0], number=controls[0])
    assert study.trials[-1].user_attrs["control"] == 1
    assert not pruner.prune(study, study.trials[-1])


def test_crossing_curves_keep_their_pareto_set() -> None:
    """Deep models start slow and win late: a search with the pruner ends with the front of one without it."""
    kept = stopped = false = 0
    for seed in range(10):
        curves = _crossing(60, seed)
        front = {i for i, (cost, losses) in enumerate(curves) if _is_ahead(losses[-1], cost, curves)}
        alive = _search(curves)
        kept += len(front & alive)
        false += len(front - alive)
        stopped += len(curves) - len(alive)
    assert false <= 0.05 * (kept + false)
    assert stopped > 100


def _crossing(count: int, seed: int) -> list[Curve]:
    rng = np.random.default_rng(seed)
    curves = []
    for _ in range(count):
        depth, mistake = rng.uniform(1, 8), rng.exponential(0.25)
        end = 4.6 - 0.25 * np.log2(depth) + mistake
        drops = np.array([1.6, 0.9, 0.35]) + 0.05 * depth * np.array([1.0, 0.7, 0.3]) + 0.4 * mistake
        noise = rng.normal(0, 0.02, 4)
        curves.append((float(depth), [float(x) for x in np.append(end + drops, end) + noise]))
    return curves


def _is_ahead(end: float, cost: float, curves: list[Curve]) -> bool:
    return not any(losses[-1] < end and other <= cost for other, losses in curves)


def _search(curves: list[Curve]) -> set[int]:
    pruner, study, alive = ParetoPruner(ParetoRule(control=0)), _mirror([]), set()
    for number, (cost, losses) in enumerate(curves):
        for rung in range(1, len(STEPS) + 1):
            stop = pruner.prune(study, _trial(number, cost, losses[:rung], optuna.trial.TrialState.RUNNING))
            if stop:
                break
        else:
            alive.add(number)
            study.add_trial(_trial(number, cost, losses, optuna.trial.TrialState.COMPLETE))
    return alive


def test_a_mirror_that_is_rebuilt_is_learnt_anew() -> None:
    """The same numbers then stand for other trials."""
    pruner = ParetoPruner(ParetoRule(control=0))
    assert _judge(pruner, _mirror(_ordinary(8)), 9.0, [9.0])
    assert not _judge(pruner, _mirror([(cost + 10, losses) for cost, losses in _ordinary(8)]), 9.0, [9.0])


def test_near_misses_are_learnt_from_too() -> None:
    fast = Finished((1.0,), loss=5.0, final=4.00)
    near, far = Finished((2.0,), loss=5.6, final=4.03), Finished((2.0,), loss=5.9, final=4.30)
    assert _history([fast, near, far], 0.05).deficits() == pytest.approx([0.6])
