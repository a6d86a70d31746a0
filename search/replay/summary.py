"""Replays from several seeds in a few figures: the median of each, and an interval that holds the true median.

The interval is that of order statistics: between the k-th smallest and the k-th largest replay, with the largest k for
which it holds the median of all seeds with a probability of 95 %. It needs no normal distribution, and takes replays
that never reach a share. With fewer than six replays it is their whole range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from search.replay.replay import Strategy
from search.replay.tally import SHARES, TRAININGS, Replay


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a summary, over all replays.

    Attributes:
        group, name: its keys in JSON; `name` is empty for one without a group.
        median: None where the replays stopped before it was known.
        low, high: ends of the interval.
    """

    group: str
    name: str
    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A strategy's figures over some seeds."""

    strategy: str
    seeds: int
    figures: tuple[Figure, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: medians under the keys of the figures, and under ``intervals`` the same keys with [low, high]."""
        medians = _nested((figure, figure.median) for figure in self.figures)
        intervals = _nested((figure, [figure.low, figure.high]) for figure in self.figures)
        return {"strategy": self.strategy, "seeds": self.seeds, **medians, "intervals": intervals}


def summarize(strategy: Strategy, replays: Sequence[Replay], *, trainings: float | None = None) -> Summary:
    """The figures of replays of one strategy that stopped after `trainings`, where that is given."""
    figures = [
        _figure("trainings_to", f"{share:.2f}", [one.trainings_to(share) for one in replays]) for share in SHARES
    ]
    for after in TRAININGS:
        known = replays if trainings is None or after <= trainings else ()
        figures.append(_figure("hypervolume_at", str(after), [one.hypervolume_at(after) for one in known]))
    figures.append(_figure("pruned", "", [one.pruned for one in replays]))
    figures.append(_figure("false_prunes", "", [one.false_prunes for one in replays]))
    return Summary(str(strategy), len(replays), tuple(figures))


def _figure(group: str, name: str, values: Sequence[float]) -> Figure:
    if not values:
        return Figure(group, name, None, None, None)
    ordered, skip = sorted(values), _outside(len(values))
    return Figure(group, name, median(ordered), ordered[skip], ordered[-1 - skip])


def _outside(count: int) -> int:
    """How many of so many sorted values lie below the interval of their median, and as many above."""
    skip, tail = 0, 0.5**count
    while 2 * (tail + math.comb(count, skip + 1) * 0.5**count) <= 0.05:
        skip += 1
        tail += math.comb(count, skip) * 0.5**count
    return skip


def _nested(values: Iterator[tuple[Figure, Any]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for figure, value in values:
        if figure.name:
            nested.setdefault(figure.group, {})[figure.name] = value
        else:
            nested[figure.group] = value
    return nested
