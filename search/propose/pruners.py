"""Pruners by name. They judge the mirror study, whose steps count first rungs: 1, 2, 4, 8, 16, 32 by default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msarch.errors import UserError, unknown
from search.space.objectives import OBJECTIVES, judged_in_bits
from search.space.schema.search import PRUNERS

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

    from search.propose.pareto_rule import ParetoRule


def make_pruner(name: str, *, seed: int, rungs: Sequence[float], objectives: Sequence[str]) -> BasePruner:
    """The pruner of that name.

    Args:
        seed: of the space; the Pareto-aware pruner draws its controls from it.
        rungs: shares of the budget at which trials are judged.
        objectives: of the search, which say what trials are judged by.

    Raises:
        UserError: no pruner has that name.
    """
    from optuna import pruners

    from search.propose.pareto_pruner import ParetoPruner

    match name:
        case "pareto":
            return ParetoPruner(rule_for(objectives, seed))
        case "median":
            return pruners.MedianPruner(n_startup_trials=8)
        case "successive-halving":
            return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
        case "hyperband":
            return pruners.HyperbandPruner(
                min_resource=1, max_resource=step_of(rungs, len(rungs) - 1), reduction_factor=3
            )
        case "none":
            return pruners.NopPruner()
    raise UserError(unknown("pruner", name, PRUNERS), key="search.pruner")


def rule_for(objectives: Sequence[str], seed: int) -> ParetoRule:
    """The Pareto-aware rule, its figures in the unit that trials are judged by.

    For bits per byte they are as many nats per byte, each of 1 / ln 2 bits. So on bytes the rule decides as it does in
    nats per token. Where a token has several bytes, it allows that many times as much, and stops fewer trials.
    """
    from search.propose.pareto_rule import ParetoRule

    rule = ParetoRule(seed=seed)
    if not judged_in_bits(objectives):
        return rule
    return replace(rule, floor=rule.floor / math.log(2), slack=rule.slack / math.log(2))


def step_of(rungs: Sequence[float], rung: int) -> int:
    """The mirror study's step of a rung, in first rungs; rises by at least one from rung to rung."""
    step = 0
    for share in rungs[: rung + 1]:
        step = max(step + 1, round(share / rungs[0]))
    return step


def pruner_warning(name: str, objectives: Sequence[str]) -> str:
    """A warning for a user who chose a pruner that looks at the loss alone; empty for other pruners."""
    costs = [objective for objective in objectives if OBJECTIVES[objective].known_before_training]
    if name in ("pareto", "none") or not costs:
        return ""
    return (
        f"the pruner '{name}' compares losses alone and will stop the small-{costs[0]} end of the front, "
        "whose models are worse but cheaper; the pruner 'pareto' keeps it"
    )
