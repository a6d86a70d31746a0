"""A replay against a search of the same models, its executor, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import open_in
from support.made_up_table import COMBINATIONS, reports_of

from msarch.errors import UserError
from msarch.training.validation import Validation
from search.ledger.reading import read_ledger
from search.ledger.records import TrialRecord
from search.propose.false_prunes import false_prunes
from search.replay.executor import TableExecutor
from search.replay.replay import Strategy, open_replay, replay, replay_once, space_under
from search.replay.table import Table, TableModel
from search.replay.tally import Tally
from search.results.front import pareto_front
from search.run.trials import Job
from search.space.load import load_space


def _end(record: TrialRecord) -> tuple[Any, ...]:
    losses = [point.loss for point in record.curve]
    return record.candidate.model, record.candidate.training, record.state, losses, record.control_rung


@pytest.mark.parametrize(("sampler", "pruner"), [("random", "pareto"), ("tpe", "median"), ("nsga2", "none")])
def test_a_replay_decides_as_a_search_of_the_same_models(
    table: Table, table_folder: Path, tmp_path: Path, sampler: str, pruner: str
) -> None:
    """As long as the search proposes no model again: it trains that one no more, and a replay draws another."""
    overrides = [f"search.sampler={sampler}", f"search.pruner={pruner}", "search.seed=1"]
    space = replace(load_space(table_folder / "space.yaml", overrides), points=())
    coordinator = open_in(space, tmp_path / "out", trials=20)
    while not coordinator.ended:
        job = coordinator.next_job()
        for report in reports_of(job) if job is not None else ():
            if not coordinator.report(report["number"], report):
                break
    searched = [_end(record) for record in read_ledger(tmp_path / "out").records]
    alone = next((n for n, end in enumerate(searched) if end[2] == "duplicate"), len(searched))
    known_random = alone if sampler != "tpe" else min(alone, 10)  # TPE draws in batches in a replay

    coordinator, proposer = open_replay(table, space_under(table, Strategy(sampler, pruner), 1), 1)
    TableExecutor(coordinator, proposer.models, concurrent=1, tally=Tally(table)).run()
    assert known_random >= 5
    assert [_end(record) for record in coordinator.records()][:known_random] == searched[:known_random]


def test_without_pruning_every_model_is_trained_and_the_hypervolume_grows(table: Table) -> None:
    found = replay_once(table, Strategy("random", "none"), 0)
    assert found.spent == 48 and found.pruned == found.false_prunes == 0
    assert [trainings for trainings, _ in found.found] == list(range(1, 49))
    shares = [share for _, share in found.found]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    assert found.hypervolume_at(0.5) == 0 and found.hypervolume_at(7) == shares[6] and found.hypervolume_at(90) == 1
    assert found.trainings_to(0.95) == next(at for at, share in found.found if share >= 0.95)
    assert found.trainings_to(1.01) == float("inf")


def test_pruning_spends_less_and_its_false_prunes_are_those_of_the_front(table: Table) -> None:
    found = replay_once(table, Strategy("random", "median"), 0)
    coordinator, proposer = open_replay(table, space_under(table, Strategy("random", "median"), 0), 1)
    TableExecutor(coordinator, proposer.models, concurrent=1, tally=Tally(table)).run()
    pruned = [proposer.models[r.number].record for r in coordinator.records() if r.state == "pruned"]
    front = pareto_front(model.record for model in table.models)
    assert found.pruned == len(pruned) > 8
    assert found.false_prunes == sum(record in front for record in pruned) > 0
    assert found.spent == sum(record.curve[-1].tokens for record in coordinator.records()) / 20_000 < 40
    assert false_prunes(coordinator.records(), table.objectives)[1] == 0  # Optuna's pruners have no controls


def test_the_same_seed_replays_alike_and_another_one_does_not(table: Table) -> None:
    first, other = replay(table, Strategy(), [0, 1], trainings=6)
    assert replay(table, Strategy(), [0], trainings=6) == [first] != [other]
    assert all(6 <= one.spent < 7 for one in (first, other))


def test_msarchs_default_is_replayed_whatever_the_space_says(table: Table) -> None:
    assert str(Strategy()) == "front"
    space = space_under(table, Strategy(), 4)
    assert (space.search.strategy, space.search.seed) == ("front", 4) and not space.points


def test_the_default_sampler_and_pruner_are_replayed_where_pruning_is_asked_for(table: Table) -> None:
    assert str(Strategy(strategy="prune")) == "tpe + pareto"
    space = space_under(table, Strategy(strategy="prune"), 4)
    assert (space.search.sampler, space.search.pruner, space.search.startup) == ("tpe", "pareto", 10)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"sampler": "tep"}, "unknown sampler 'tep', did you mean 'tpe'"), ({"pruner": "x"}, "unknown pruner 'x'")],
)
def test_an_unknown_strategy_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Strategy(**given)


def test_a_replay_of_front_ends_when_all_figures_are_known(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.replay.replay.TRAININGS", (1, 3))
    monkeypatch.setattr("search.replay.replay.SHARES", (0.5, 0.6))
    found = replay_once(table, Strategy(), 0)
    shares = [share for _, share in found.found]
    assert 3 <= found.spent < 24 and shares[-1] >= 0.6 > shares[0]


@pytest.mark.slow
def test_the_front_strategy_pauses_models_and_finds_the_front_sooner_than_chance(table: Table) -> None:
    found = replay(table, Strategy(strategy="front"), range(3), trainings=24)
    chance = replay(table, Strategy("random", "none"), range(3), trainings=48)
    assert all(one.pruned for one in found)  # what is paused at the end counts as pruned
    soonest, latest = (sorted(one.trainings_to(0.95) for one in each) for each in (found, chance))
    assert soonest[1] < latest[1] / 2


def test_a_strategy_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(UserError, match="no effect"):
        Strategy("tpe", strategy="front")


@dataclass
class _Script:
    """Hands out trials in this order, and lets each train for one rung at a time."""

    order: list[int]
    models: dict[int, TableModel]
    reports: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return not self.order

    def next_job(self) -> Job:
        number = self.order.pop(0)
        candidate = self.models[number].record.candidate
        return Job(number, candidate, candidate.corpus)

    def report(self, number: int, report: dict[str, Any]) -> bool:
        assert report["number"] == number
        self.reports.append((number, len(report["curve"]), report["state"]))
        return False


def test_a_trial_that_is_handed_out_again_goes_on_after_its_last_rung(table: Table) -> None:
    models = dict(enumerate(table.models))
    script = _Script([0, 1, 0, 0, 1, 0, 0, 0], models)
    tally = Tally(table)
    TableExecutor(
        script,  # type: ignore[arg-type]  # as much of a coordinator as an executor sees
        models,
        concurrent=1,
        tally=tally,
    ).run()
    assert [(number, rungs) for number, rungs, _ in script.reports] == [
        (0, 1), (1, 1), (0, 2), (0, 3), (1, 2), (0, 4), (0, 5), (0, 6),
    ]  # fmt: skip  # a table reads better
    assert [state for _, _, state in script.reports] == ["running"] * 7 + ["complete"]
    found = tally.replay((1,))
    assert [at for at, _ in found.found] == [found.spent] and found.spent == 1 + 1 / 16
    assert (found.begun, found.stopped) == ((0, 1), (1,))


class _Ends(Tally):
    """Keeps the models that were trained to their end, in that order."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self.ended: list[TrialRecord] = []

    def train(self, record: TrialRecord) -> Validation:
        point = super().train(record)
        self.ended += [record] if self.is_whole(record) else []
        return point


def test_several_trials_at_a_time_take_the_seconds_that_were_recorded(table: Table) -> None:
    """The quickest of the first models reaches its first rung first."""
    coordinator, proposer = open_replay(table, space_under(table, Strategy("random", "none"), 0), 4)
    tally = _Ends(table)
    TableExecutor(coordinator, proposer.models, concurrent=4, tally=tally).run()
    first, ended = [proposer.models[number].record for number in range(4)], tally.ended
    assert ended[0].seconds == min(record.seconds for record in first)
    assert len(ended) == len(COMBINATIONS) and [record.number for record in ended] != sorted(r.number for r in ended)
    assert replay_once(table, Strategy("tpe", "pareto"), 0, trainings=12, concurrent=4).spent >= 12


def test_a_replay_goes_on_until_it_has_found_its_share(table: Table) -> None:
    short, long = (replay_once(table, Strategy("random", "none"), 0, trainings=5, share=share) for share in (0.0, 0.98))
    assert short.spent == 5 and long.spent == long.trainings_to(0.98) > 5
    assert long.begun[:5] == short.begun and not long.stopped
