"""Which of a sample's candidates are timed, and what is assumed of the others.

All slots train at once, as in a search. Together they take no more memory than there is room for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from search.run.drawn import Drawn
from search.run.timing import Timing, time_on_slots

Timed = list[tuple[Drawn, Timing]]


def time_sample(
    sample: Sequence[Drawn], slots: int, device: str, *, at_least: int, room: int | None = None
) -> tuple[Timed, float]:
    """Candidates from cheap to costly with their timings, all slots busy; and the seconds that a slot takes to start.

    A candidate that was not timed is assumed to run at the speed of the others, by its number of operations.

    Args:
        room: bytes for all slots together, where they share them.
    """
    by_slot = chosen_for_slots(sample, slots, at_least=at_least, room=room)
    timings, start = time_on_slots([[item.candidate for item in items] for items in by_slot], device)
    measured = [pair for items, found in zip(by_slot, timings, strict=True) for pair in zip(items, found, strict=False)]
    missing = [item for items, found in zip(by_slot, timings, strict=True) for item in items[len(found) :]]
    return measured + [(item, _scaled(item, measured)) for item in missing], start


def chosen_for_slots(sample: Sequence[Drawn], slots: int, *, at_least: int, room: int | None) -> list[list[Drawn]]:
    """For each slot its candidates, from cheap to costly; fewer slots where the largest of each do not fit together."""
    ordered = sorted(sample, key=lambda item: item.cost)
    while True:
        count = slots * -(-at_least // slots)
        chosen = [ordered[int((index + 0.5) * len(ordered) / count)] for index in range(count)]
        by_slot = [chosen[slot::slots] for slot in range(slots)]
        together = sum(max(item.memory for item in items) for items in by_slot)
        if room is None or together <= room or slots == 1:
            return by_slot
        slots -= 1


def at_a_time(timed: Timed, slots: int, room: int | None) -> int:
    """How many trials run at a time on average: as many as there are slots, or as have room side by side."""
    if room is None:
        return slots
    seconds = [timing.trial_seconds(item.candidate) for item, timing in timed]
    mean = sum(item.memory * time for (item, _), time in zip(timed, seconds, strict=True)) / sum(seconds)
    return max(1, min(slots, int(room / mean)))


def _scaled(item: Drawn, measured: Timed) -> Timing:
    """The timing of the costliest candidate measured, in proportion to the operations of a step."""
    known, timing = max(measured, key=lambda pair: pair[0].cost)
    ratio = _step_operations(item) / _step_operations(known)
    return Timing(**{name: seconds * ratio for name, seconds in asdict(timing).items()})


def _step_operations(item: Drawn) -> float:
    training = item.candidate.training
    return float(item.profile["flops_per_token"]) * training.batch_size * item.candidate.model.context
