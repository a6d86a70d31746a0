"""The Pareto front of a search, its best and its knee, and how much of the plane it covers.

Every objective is minimised. A front holds feasible, complete trials only: a pruned trial's figures are
half-trained, and a duplicate's are its twin's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msarch.errors import UserError, quoted, shortened
from search.ledger.metrics import metric, objective_values
from search.ledger.records import TrialRecord
from search.space.objectives import DEFAULT_OBJECTIVES, LIMITS, OBJECTIVES

Values = tuple[float, ...]


def pareto_front(records: Iterable[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> list[TrialRecord]:
    """The complete trials that no other beats in all objectives, the cheapest first.

    Of trials with equal figures the lowest number stands for all.
    """
    front: dict[Values, TrialRecord] = {}
    for values, record in sorted(_judged(records, objectives), key=lambda pair: (pair[0], pair[1].number)):
        # in this order whatever dominates a trial comes before it, so the front only ever grows
        if not any(_at_least_as_good(other, values) for other in front):
            front[values] = record
    cost = list(objectives).index(split(objectives)[1]) if len(objectives) > 1 else 0
    return [front[values] for values in sorted(front, key=lambda values: (values[cost], values))]


def best(
    records: Iterable[TrialRecord], max_memory: int | None = None, quality: str = "perplexity"
) -> TrialRecord | None:
    """The complete trial of the lowest perplexity, of equal ones the smallest; None where there is none.

    `max_memory` is in bytes; `quality` may be bits_per_byte, which compares across tokenizers.
    """
    judged = _judged(within(records, max_memory), (quality, "memory"))
    return min(judged, key=lambda pair: (pair[0], pair[1].number), default=(None, None))[1]


def knee(
    records: Iterable[TrialRecord],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    max_memory: int | None = None,
) -> TrialRecord | None:
    """The point of the front farthest from the line between its ends; None where there is no front.

    The first quality and the first cost span the plane; each axis is scaled to the front's range, that of the
    cost logarithmic. A front of one or two points has no bend: its best in quality is taken.
    """
    plane = split(objectives)
    front = pareto_front(within(records, max_memory), plane)
    points = [_axes(objective_values(record, plane) or (), plane) for record in front]
    if not points:
        return None
    lows: Values = tuple(min(axis) for axis in zip(*points, strict=True))
    highs: Values = tuple(max(axis) for axis in zip(*points, strict=True))
    if len(front) < 3:
        return min(zip(points, front, strict=True), key=lambda pair: pair[0])[1]

    def bend(point: Values) -> float:
        scaled = ((value - low) / (high - low) for value, low, high in zip(point, lows, highs, strict=True))
        return abs(1.0 - sum(scaled))  # the ends lie at (0, 1) and (1, 0)

    return max(zip(points, front, strict=True), key=lambda pair: bend(pair[0]))[1]


def hypervolume(
    records: Iterable[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES, *, reference: Mapping[str, float]
) -> float:
    """Volume between the front and a reference point: over (loss in nats, log memory) by default.

    Perplexity and costs are taken by their natural logarithm, so that perplexity becomes the loss; bits per
    byte as they are. `reference` gives the point in the objectives' own units. Points beyond it add nothing.
    """
    names = tuple(objectives)
    corner = _logarithms(tuple(reference[name] for name in names), names)
    points = [
        _logarithms(values, names)
        for record in pareto_front(records, names)
        if (values := objective_values(record, names)) and all(value > 0 for value in values)
    ]
    return _volume([point for point in points if all(a < b for a, b in zip(point, corner, strict=True))], corner)


def reference_point(
    records: Sequence[TrialRecord],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    limits: Mapping[str, int] | None = None,
) -> dict[str, float]:
    """A reference point that does not depend on how well the search went, in the objectives' own units.

    Perplexity: the vocabulary size, that of a model which knows nothing; bits per byte: 8. A cost: its limit,
    or where it has none the largest figure of any proposed trial. Pass one point to compare two searches.
    """
    point: dict[str, float] = {}
    for name in objectives:
        if name == "perplexity":
            point[name] = max((record.candidate.model.vocab_size for record in records), default=1)
        elif name == "bits_per_byte":
            point[name] = 8.0
        else:
            values = [value for record in records if (value := metric(record, OBJECTIVES[name].key)) is not None]
            point[name] = (limits or {}).get(name) or max(values, default=0.0) or 1.0
    return point


def select(
    records: Sequence[TrialRecord],
    which: str,
    max_memory: int | None = None,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
) -> TrialRecord:
    """The complete trial meant by "best", "knee" or a number, within `max_memory` bytes.

    Raises UserError where there is no such trial, or where it is not complete.
    """
    text = which.strip().lstrip("#")
    if text.isascii() and text.isdigit() and len(text) < 20:
        return _check_usable(_numbered(records, int(text)), max_memory)
    if text not in ("best", "knee"):
        raise UserError(f"unknown trial {quoted(which)}: give best, knee or a number, {_existing(records)}")
    found = best(records, max_memory, split(objectives)[0]) if text == "best" else knee(records, objectives, max_memory)
    if found is None:
        raise UserError(_why_none(records, max_memory))
    return found


def within(records: Iterable[TrialRecord], max_memory: int | None) -> list[TrialRecord]:
    """The trials that need at most `max_memory` bytes; all of them where it is None."""
    if max_memory is None:
        return list(records)
    return [record for record in records if record.profile.get("memory_bytes", math.inf) <= max_memory]


def split(objectives: Sequence[str]) -> tuple[str, str]:
    """The first objective of quality and the first of cost: the plane in which a front is drawn."""
    quality = next((name for name in objectives if OBJECTIVES[name].quality), "perplexity")
    return quality, next((name for name in objectives if not OBJECTIVES[name].quality), "memory")


def _judged(records: Iterable[TrialRecord], objectives: Sequence[str]) -> list[tuple[Values, TrialRecord]]:
    complete = (record for record in records if record.state == "complete")
    return [(values, record) for record in complete if (values := objective_values(record, tuple(objectives)))]


def _at_least_as_good(one: Values, other: Values) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))


def _axes(values: Values, objectives: Sequence[str]) -> Values:
    pairs = zip(values, objectives, strict=True)
    return tuple(value if OBJECTIVES[name].quality or value <= 0 else math.log(value) for value, name in pairs)


def _logarithms(values: Values, objectives: Sequence[str]) -> Values:
    pairs = zip(values, objectives, strict=True)
    return tuple(value if name == "bits_per_byte" else math.log(value) for value, name in pairs)


def _volume(points: list[Values], corner: Values) -> float:
    """Volume dominated by `points` up to `corner`, by slices along the last axis; exact in any dimension."""
    if not points:
        return 0.0
    if len(corner) == 1:
        return corner[0] - min(point[0] for point in points)
    ordered = sorted(points, key=lambda point: point[-1])
    ends = [point[-1] for point in ordered[1:]] + [corner[-1]]
    slices = enumerate(zip(ordered, ends, strict=True), start=1)
    return sum(
        (end - point[-1]) * _volume([other[:-1] for other in ordered[:count]], corner[:-1])
        for count, (point, end) in slices
        if end > point[-1]
    )


def _numbered(records: Sequence[TrialRecord], number: int) -> TrialRecord:
    for record in records:
        if record.number == number:
            return record
    raise UserError(f"there is no trial {number}: {_existing(records)}")


def _existing(records: Sequence[TrialRecord]) -> str:
    numbers = [record.number for record in records]
    return f"trials {min(numbers)} to {max(numbers)} exist" if numbers else "no trial exists yet"


def _check_usable(record: TrialRecord, max_memory: int | None) -> TrialRecord:
    number, memory = record.number, record.profile.get("memory_bytes", 0)
    why = {"infeasible": record.violation, "failed": record.error}.get(record.state, "")
    if record.state == "duplicate":
        raise UserError(f"trial {number} is a duplicate of trial {record.twin}: choose trial {record.twin}")
    if record.paused:
        raise UserError(
            f"trial {number} is paused, trained only in part: choose a complete trial, or resume the search with more "
            "--tokens"
        )
    if record.state != "complete":
        raise UserError(
            f"trial {number} is {record.state}{f' ({shortened(why)})' if why else ''}: choose a complete trial"
        )
    if max_memory is not None and memory > max_memory:
        needed, allowed = LIMITS["memory"].format_both(memory, max_memory)
        raise UserError(f"trial {number} needs {needed}, more than the {allowed} allowed")
    return record


def check_any_within(records: Sequence[TrialRecord], max_memory: int | None) -> None:
    """Raises UserError, naming the smallest there is, where trials are complete and all need more memory."""
    complete = [record for record in records if record.state == "complete"]
    if complete and not within(complete, max_memory):
        raise UserError(_why_none(records, max_memory))


def _why_none(records: Sequence[TrialRecord], max_memory: int | None) -> str:
    complete = [record for record in records if record.state == "complete" and "memory_bytes" in record.profile]
    if max_memory is not None and complete:
        smallest = min(complete, key=lambda record: record.profile["memory_bytes"])
        needed, allowed = LIMITS["memory"].format_both(smallest.profile["memory_bytes"], max_memory)
        return f"no complete trial fits {allowed}: the smallest, trial {smallest.number}, needs {needed}"
    counts = Counter(record.shown_state for record in records)
    if counts["complete"]:
        return "no complete trial has the figures that this asks for"
    return f"no trial is complete: {', '.join(f'{n} {state}' for state, n in counts.items()) or 'none was run'}"
