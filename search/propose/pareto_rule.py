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

The rule knows numbers alone: a loss may be in nats per token or in bits per byte, as long as `floor` and `slack` are
in the same unit. `search.propose.pareto_pruner` applies it to a search, `search.propose.plain_study` to any study of
Optuna.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.propose.seeds import derived_seed

Floats = NDArray[np.float64]


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
        floor: smallest margin, in the unit of the losses; the default is in nats.
        slack: how much worse than a rival a trial may have ended to be learnt from, in the same unit.
        control: share of would-be-stopped trials that run on.
    """

    seed: int = 0
    min_complete: int = 8
    quantile: float = 0.9
    floor: float = 0.02
    slack: float = 0.05
    control: float = 0.1

    def history(self) -> History:
        """An empty history of complete trials at one rung."""
        return History(self.slack)

    def is_behind(self, costs: Sequence[float], loss: float, history: History) -> bool:
        """Whether a trial of these costs would be stopped with this loss, were it no control."""
        lowest = history.lowest_rival(costs)
        if lowest is None:
            return False
        gap = loss - lowest
        return gap > self.floor and gap > self.margin(history)  # a margin is never below the floor

    def is_control(self, number: int) -> bool:
        """Whether the trial of that number runs on where it would be stopped."""
        return derived_seed(self.seed, number) / 2**32 < self.control

    def margin(self, history: History) -> float:
        """How far behind its best rival a trial may be at a rung, in the losses' unit; learnt from complete trials."""
        behind = history.deficits()
        learnt = float(np.quantile(behind, self.quantile, method="higher")) if len(behind) else 0.0
        low, high = np.quantile(history.losses(), (0.25, 0.75))
        return max(0.0, learnt) + self.floor + 0.5 * float(high - low) / (len(behind) + 1)


class History:
    """Complete trials at one rung, and what they say of slow starters; it grows, at the price of one pass a trial.

    Args:
        slack: how much worse than a rival a trial may have ended to be learnt from, in the unit of the losses.
    """

    def __init__(self, slack: float) -> None:
        self._slack = slack
        self._count = 0
        self._figures = np.empty((0, 0))  # a row a trial: loss, loss at the end, lowest loss of the rivals, costs

    def __len__(self) -> int:
        return self._count

    def add(self, trial: Finished) -> None:
        """Take in one more trial."""
        new, costs = self._room(3 + len(trial.costs)), np.array(trial.costs)
        known = self._figures[: self._count]
        loss, end, lead, dues = known[:, 0], known[:, 1], known[:, 2], known[:, 3:]
        # the lowest loss of the rivals that a trial is learnt from gives the largest gap, to the last bit
        overtook = (dues >= costs).all(axis=1) & (end < trial.final + self._slack)
        lead[overtook] = np.minimum(lead[overtook], trial.loss)
        overtaken = (dues <= costs).all(axis=1) & (trial.final < end + self._slack)
        new[:3] = trial.loss, trial.final, loss[overtaken].min(initial=np.inf)
        new[3:] = costs
        self._count += 1

    def losses(self) -> Floats:
        """Of all, at this rung."""
        found: Floats = self._figures[: self._count, 0]
        return found

    def lowest_rival(self, costs: Sequence[float]) -> float | None:
        """The lowest loss of the trials that cost no more; None without any."""
        known = self._figures[: self._count]
        losses = known[(known[:, 3:] <= np.array(costs)).all(axis=1), 0] if self._count else known
        return float(losses.min()) if len(losses) else None

    def deficits(self) -> Floats:
        """For each trial that ended better than a rival plus the slack: how far it was behind those here, at most."""
        known = self._figures[: self._count]
        found: Floats = (known[:, 0] - known[:, 2])[np.isfinite(known[:, 2])] if self._count else np.empty(0)
        return found

    def _room(self, width: int) -> Floats:
        """An empty row, the next one."""
        if self._count == len(self._figures):
            larger = np.empty((max(64, 2 * self._count), width))
            larger[: self._count] = self._figures if self._count else 0
            self._figures = larger
        row: Floats = self._figures[self._count]
        return row


def costs_no_more(costs: Sequence[float], other: Sequence[float]) -> bool:
    """Whether each of `costs` is at most its counterpart; true without any, as all is then judged by loss."""
    return all(mine <= theirs for mine, theirs in zip(costs, other, strict=True))
