"""The pruner in plain studies of several objectives: it decides as the pruner of a search does, and they go on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages.journal import JournalFileBackend

from msarch.optuna import ParetoPruner
from search.propose.pareto_pruner import COSTS, LAST_STEP, NUMBER
from search.propose.pareto_pruner import ParetoPruner as MirrorPruner
from search.propose.pareto_rule import ParetoRule

STEPS = (1, 2, 4, 8)


def _curves(count: int, seed: int) -> list[tuple[float, list[float]]]:
    """(cost, losses at the steps): costly ones end lower, and some mistakes are made."""
    rng = np.random.default_rng(seed)
    costs, mistakes = rng.uniform(1, 8, count), rng.exponential(0.3, count)
    ends = 4.6 - 0.25 * np.log2(costs) + mistakes
    falls = np.array([1.6, 0.9, 0.35, 0]) + 0.05 * costs[:, None] * np.array([1.0, 0.7, 0.3, 0])
    losses = ends[:, None] + falls + rng.normal(0, 0.02, (count, 4))
    return list(zip(costs.tolist(), losses.tolist(), strict=True))


def _run(study: optuna.Study, pruner: ParetoPruner, curves: Sequence[tuple[float, list[float]]], sign: int = 1) -> None:
    """Ask and tell; with `sign` -1 the first objective is one to maximise."""
    for cost, losses in curves:
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        asked = zip(STEPS[:-1], losses, strict=False)
        if any(pruner.should_prune(trial, sign * loss, step, costs=[cost]) for step, loss in asked):
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, [sign * losses[-1], cost])


def _stopped(study: optuna.Study) -> list[int]:
    return [trial.number for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]


def _mirrored(curves: Sequence[tuple[float, list[float]]], seed: int) -> list[int]:
    """What the pruner of a search stops of the same trials."""
    study, pruner, stopped = optuna.create_study(), MirrorPruner(ParetoRule(seed=seed)), []
    for number, (cost, losses) in enumerate(curves):
        trial = study.ask()
        for key, value in {NUMBER: number, COSTS: [cost], LAST_STEP: STEPS[-1]}.items():
            trial.set_user_attr(key, value)
        for step, loss in zip(STEPS, losses, strict=True):
            trial.report(loss, step)
            if pruner.prune(study, study.trials[-1]):
                stopped.append(number)
                break
        state = optuna.trial.TrialState.PRUNED if number in stopped else optuna.trial.TrialState.COMPLETE
        study.tell(trial, None if number in stopped else losses[-1], state)
    return stopped


@pytest.mark.parametrize("seed", range(3))
def test_it_stops_the_trials_that_a_search_would_stop(seed: int) -> None:
    curves = _curves(60, seed)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0))
    _run(study, ParetoPruner(seed=seed), curves)
    assert _stopped(study) == _mirrored(curves, seed) and len(_stopped(study)) > 10


def test_a_study_may_maximise_and_have_its_curve_second() -> None:
    curves = _curves(40, 0)
    plain = optuna.create_study(directions=["minimize", "minimize"])
    _run(plain, ParetoPruner(), curves)
    upward = optuna.create_study(directions=["maximize", "minimize"])
    _run(upward, ParetoPruner(), curves, sign=-1)
    second, pruner = optuna.create_study(directions=["maximize", "minimize"]), ParetoPruner(objective=1)
    for cost, losses in curves:  # the cost is a speed, which is maximised
        trial = second.ask()
        asked = zip(STEPS[:-1], losses, strict=False)
        stop = any(pruner.should_prune(trial, loss, step, costs=[-cost]) for step, loss in asked)
        second.tell(trial, None if stop else [-cost, losses[-1]], optuna.trial.TrialState.PRUNED if stop else None)
    assert _stopped(plain) == _stopped(upward) == _stopped(second) != []


@pytest.mark.parametrize("sampler", ["TPESampler", "NSGAIISampler"])
def test_samplers_learn_beside_it(sampler: str) -> None:
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=getattr(optuna.samplers, sampler)(seed=0))
    _run(study, ParetoPruner(control=0), _curves(30, 1))
    assert _stopped(study) and len(study.trials) == 30


def test_a_study_that_is_continued_goes_on_learning(tmp_path: Path) -> None:
    curves = _curves(50, 2)
    whole = optuna.create_study(directions=["minimize", "minimize"])
    _run(whole, ParetoPruner(), curves)
    file = JournalFileBackend(str(tmp_path / "journal"))
    for part in (curves[:20], curves[20:]):
        study = optuna.create_study(
            study_name="one",
            storage=optuna.storages.JournalStorage(file),
            directions=["minimize", "minimize"],
            load_if_exists=True,
        )
        _run(study, ParetoPruner(), part)
    assert _stopped(study) == _stopped(whole)


def test_a_value_that_is_not_finite_is_the_worst_and_a_trial_that_was_not_asked_about_is_no_rival() -> None:
    study, pruner = optuna.create_study(directions=["minimize", "minimize"]), ParetoPruner(control=0)
    study.add_trial(optuna.trial.create_trial(values=[0.0, 0.0]))  # from before the pruner was used
    _run(study, pruner, [(cost, losses) for cost, losses in _curves(8, 3)])
    trial = study.ask()
    assert not pruner.should_prune(trial, float("nan"), 1, costs=[0.5])  # the cheapest has no rival
    trial = study.ask()
    assert pruner.should_prune(trial, float("nan"), 1, costs=[9.0])


@pytest.mark.parametrize(
    ("costs", "message"), [([], "costs has 0 figures"), ([1, 2], "give one cost"), ([float("nan")], "not a number")]
)
def test_costs_that_do_not_fit_the_study_are_refused(costs: list[float], message: str) -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])
    with pytest.raises(ValueError, match=message):
        ParetoPruner().should_prune(study.ask(), 1.0, 1, costs=costs)


def test_it_needs_neither_torch_nor_ray() -> None:
    heavy = "{'torch', 'ray', 'pandas', 'pydantic', 'sklearn'}"
    code = f"import msarch.optuna, sys; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
