"""When to stop a trial so that a Pareto front is kept: it is judged only by trials that cost no more.

Pruning on the loss alone deletes the cheap end of a front, whose models are worse than the expensive ones at every
rung and belong there all the same. And deep models start slow and win late, so that a fixed margin deletes
the winners. Hence the rule, at each rung but the last:

1. The *rivals* of a trial are the complete trials whose costs (all objectives known before training) are each
   no higher. With none, it runs on; so the cheapest trial is never stopped.
2. Its *gap* is its loss at this rung minus the lowest loss of a rival at this rung.
3. It is stopped where the gap exceeds the *margin* of this rung, learnt from the complete trials: for each
   that ended better than some of its rivals, or less than 0.05 nats worse, take how far it was behind those at
   this rung, at most. The margin is the 90 % quantile of these figures (the largest, with fewer than ten), not
   below 0, so that stopping one that would have come out ahead is rare; plus an allowance for how little has
   been seen, 0.02 nats + half the interquartile range of losses at this rung / (figures + 1). Near misses
   count since at first there are few overtakings to learn from, and they tell as much about slow starters.
4. Nothing is stopped before 8 trials are complete.
5. One would-be-stopped trial in ten, drawn from (seed, number), runs on as a *control*. Controls show how often
   the rule is wrong, and add late bloomers to what the margin is learnt from.

The rule knows numbers alone. `search.propose.pareto_pruner` applies it to a search, `search.propose.plain_study` to any
study of Optuna.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.propose.seeds import derived_seed

BLOCK = 256
"""Trials that are compared with all others at a time: a few megabytes for thousands of trials."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A complete trial as the rule sees it: costs, loss at the rung in question, loss at the end."""

    costs: tuple[float, ...]
    loss: float
    final: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ParetoRule:
    """Stops a trial only where complete trials that cost no more were clearly better at the same rung.

    Attributes:
        seed: decides, with a trial's number, whether it is a control.
        min_complete: complete trials before anything is stopped.
        quantile: share of the overtaking trials that the margin covers.
        floor: smallest margin, in nats.
        slack: how much worse than a rival a trial may have ended to be learnt from, in nats.
        control: share of would-be-stopped trials that run on.
    """

    seed: int = 0
    min_complete: int = 8
    quantile: float = 0.9
    floor: float = 0.02
    slack: float = 0.05
    control: float = 0.1

    def is_behind(self, costs: Sequence[float], loss: float, finished: Sequence[Finished]) -> bool:
        """Whether a trial of these costs would be stopped with this loss, were it no control."""
        rivals = [other.loss for other in finished if costs_no_more(other.costs, costs)]
        if not rivals:
            return False
        gap = loss - min(rivals)
        return gap > self.floor and gap > self.margin(finished)  # a margin is never below the floor

    def is_control(self, number: int) -> bool:
        """Whether the trial of that number runs on where it would be stopped."""
        return derived_seed(self.seed, number) / 2**32 < self.control

    def margin(self, finished: Sequence[Finished]) -> float:
        """How far behind its best rival a trial may be at a rung, in nats; learnt from complete trials."""
        behind = deficits(finished, self.slack)
        learnt = float(np.quantile(behind, self.quantile, method="higher")) if behind else 0.0
        low, high = np.quantile([trial.loss for trial in finished], (0.25, 0.75))
        return max(0.0, learnt) + self.floor + 0.5 * float(high - low) / (len(behind) + 1)


def costs_no_more(costs: Sequence[float], other: Sequence[float]) -> bool:
    """Whether each of `costs` is at most its counterpart; true without any, as all is then judged by loss."""
    return all(mine <= theirs for mine, theirs in zip(costs, other, strict=True))


def deficits(finished: Sequence[Finished], slack: float) -> list[float]:
    """For each trial that ended better than a rival plus `slack`: how far it was behind those at the rung, at most."""
    if not finished:
        return []
    costs = np.array([trial.costs for trial in finished])
    losses = np.array([trial.loss for trial in finished])
    finals = np.array([trial.final for trial in finished])
    found: list[float] = []
    for first in range(0, len(finished), BLOCK):
        late = slice(first, first + BLOCK)
        learnt_from = finals[late, None] < finals + slack
        for cost in costs.T:
            learnt_from &= cost <= cost[late, None]
        learnt_from[np.arange(len(learnt_from)), np.arange(first, first + len(learnt_from))] = False  # of itself
        leads = np.where(learnt_from, losses, np.inf).min(axis=1)
        # the lowest loss of those rivals gives the largest gap, to the last bit
        found.extend((losses[late] - leads)[learnt_from.any(axis=1)].tolist())
    return found
