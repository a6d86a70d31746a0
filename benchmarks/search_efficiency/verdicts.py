"""What the runs over a table say, a line each: the default against random, our strategies against every peer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.search_efficiency.contenders import BASELINE, CONTENDERS, FRONT, WORKERS
from benchmarks.search_efficiency.intervals import Interval, median_of, ratio_of
from benchmarks.search_efficiency.runs import Run
from search.replay.replay import Strategy
from search.replay.tally import SHARES, TRAININGS

GOAL = 1 / 7
"""Of the trainings of random, to the shares of `GOAL_SHARES`."""
GOAL_SHARES = (0.95, 0.98)
FEWEST_SEEDS = 6
"""Below which an interval says little, and nothing is concluded."""
JUDGED = tuple(dict.fromkeys([str(Strategy()), FRONT]))
"""msarch's default, and `front` also while it is not the default."""

Found = Mapping[str, Sequence[Run]]
"""The runs of each strategy that has any."""


def verdicts(found: Found) -> Iterator[str]:
    """Every verdict that the runs allow: of strategies with enough seeds."""
    found = enough(found)
    for name in JUDGED:
        if name in found:
            yield from against_random(name, found)
            yield from _against_peers(name, found)
    for workers in WORKERS:
        yield from _of_workers(f"{FRONT}, {workers} workers", found)


def enough(found: Found) -> Found:
    """Those of strategies with enough seeds."""
    return {name: runs for name, runs in found.items() if len(runs) >= FEWEST_SEEDS}


def against_random(name: str, found: Found) -> Iterator[str]:
    """A strategy's trainings as a share of those of random."""
    if not {name, BASELINE} <= found.keys():
        return
    for share in GOAL_SHARES:
        baseline = _to(found[BASELINE], share)
        if math.isinf(median_of(baseline).middle):
            yield f"{name} / {BASELINE} to {share:.0%}: no ratio, {BASELINE} never reached it"
            continue
        ratio = ratio_of(_to(found[name], share), baseline)
        met = "met" if ratio.middle <= GOAL else "not met"
        yield f"{name} / {BASELINE} to {share:.0%}: {_ratio(ratio)}; goal: at most {GOAL:.3f}, {met}"


def _against_peers(name: str, found: Found) -> Iterator[str]:
    peers = [peer for peer in found if CONTENDERS[peer].kind == "peer"]
    for trainings in TRAININGS if peers else ():
        own = median_of(_at(found[name], trainings))
        above = [peer for peer in peers if median_of(_at(found[peer], trainings)).low > own.high]
        text = ", ".join(above) or "none"
        yield f"peers wholly above {name} at {trainings} trainings: {text}"


def _of_workers(name: str, found: Found) -> Iterator[str]:
    if name not in found or FRONT not in found:
        return
    for share in GOAL_SHARES:
        ratio = ratio_of(_to(found[name], share), _to(found[FRONT], share))
        yield f"{name} / one worker, trainings to {share:.0%}: {_ratio(ratio)}"


def _ratio(ratio: Interval) -> str:
    if math.isinf(ratio.middle):
        return "never reached"
    high = "never" if math.isinf(ratio.high) else f"{ratio.high:.3f}"
    return f"{ratio.middle:.3f} ({ratio.low:.3f} to {high})"


def _to(runs: Sequence[Run], share: float) -> list[float]:
    return [run.trainings_to[SHARES.index(share)] for run in runs]


def _at(runs: Sequence[Run], trainings: int) -> list[float]:
    return [run.hypervolume_at[TRAININGS.index(trainings)] for run in runs]
