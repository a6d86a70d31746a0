"""Every strategy that is compared, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from benchmarks.search_efficiency.driving import MakePeer, drive
from benchmarks.search_efficiency.foresight import from_others, without_luck
from benchmarks.search_efficiency.gaussian_process import GaussianProcess
from benchmarks.search_efficiency.head_start import front_with_head_start
from benchmarks.search_efficiency.moasha import Moasha
from benchmarks.search_efficiency.optuna_search_asha import OptunaSearchAsha
from benchmarks.search_efficiency.orders import Oracle, by_parameters, greedily
from search.replay.replay import Strategy, replay_once
from search.replay.table import Table
from search.replay.tally import Replay

Run = Callable[[Table, int, float, float], Replay]
"""Replays a table from a seed until so many trainings were spent, and that share of the hypervolume found."""
Kind = Literal["ours", "peer", "ceiling"]

BASELINE = "random + none"
FRONT = "front"
WORKERS = (2, 8)
"""Trials at a time with which `front` is measured beside one."""


@dataclass(frozen=True)
class Contender:
    """One strategy.

    Attributes:
        kind: ours; a peer; or a ceiling, which knows more than a search can.
        seeds: how many it gets, as a multiple of what was asked for; 0 where it draws nothing, and one is enough.
        needs: the package that it needs, where that may be absent.
        finite: whether it can search finite spaces only.
    """

    name: str
    kind: Kind
    run: Run
    seeds: int = 1
    needs: str = ""
    finite: bool = False

    def seeds_of(self, asked: int) -> int:
        """How many seeds it gets."""
        return self.seeds * asked or 1

    def why_not(self, table: Table) -> str:
        """Why it cannot search a table; empty where it can."""
        if self.needs and find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        if self.finite and table.space.combinations() is None:
            return "the space has a continuous parameter"
        return ""


def _ours(sampler: str | None, pruner: str | None) -> Contender:
    strategy = Strategy(sampler, pruner)
    name = str(strategy)
    seeds = 10 if name == BASELINE else 1
    return Contender(name, "ours", _replayed(strategy, 1), seeds=seeds, finite=sampler == "grid")


def _front(workers: int) -> Contender:
    name = FRONT if workers == 1 else f"{FRONT}, {workers} workers"
    return Contender(name, "ours", _replayed(Strategy(strategy="front"), workers))


def _replayed(strategy: Strategy, workers: int) -> Run:
    def run(table: Table, seed: int, trainings: float, share: float) -> Replay:
        return replay_once(table, strategy, seed, trainings=trainings, share=share, concurrent=workers)

    return run


def _driven(make: MakePeer) -> Run:
    def run(table: Table, seed: int, trainings: float, share: float) -> Replay:
        return drive(table, make, seed, trainings=trainings, share=share)

    return run


def _ahead(head: float) -> Run:
    def run(table: Table, seed: int, trainings: float, share: float) -> Replay:
        return front_with_head_start(head, table, seed, trainings=trainings, share=share)

    return run


CONTENDERS = {
    one.name: one
    for one in (
        _ours("random", "none"),
        *(_front(workers) for workers in (1, *WORKERS)),
        *(_ours("tpe", pruner) for pruner in ("pareto", "none", "median", "successive-halving", "hyperband")),
        *(_ours(sampler, pruner) for sampler in ("nsga2", "grid") for pruner in ("none", "pareto")),
        _ours("random", "pareto"),
        Contender("Optuna GPSampler", "peer", _driven(GaussianProcess)),
        Contender("Ray OptunaSearch + ASHA", "peer", _driven(OptunaSearchAsha), needs="ray"),
        Contender("Syne Tune MOASHA", "peer", _driven(Moasha), needs="syne_tune"),
        Contender("parameters as proxy", "peer", _driven(by_parameters)),
        Contender("oracle pruner", "ceiling", _driven(Oracle)),
        Contender("greedy foresight", "ceiling", _driven(greedily), seeds=0),
        Contender("expected losses known", "ceiling", _driven(without_luck)),
        Contender("foretold by all others", "ceiling", _driven(from_others), seeds=0),
        *(Contender(f"all known at 1/{part}", "ceiling", _ahead(1 / part), seeds=0) for part in (8, 4, 2)),
    )
}
