"""What a search would cost, before it is started: a random sample of its space, of which a few candidates are timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from msarch.machine import free_memory, usable_cores
from search.run.budget import Budget
from search.run.drawn import Drawn, admitted, draw
from search.run.estimate import Estimate, estimate_search
from search.run.pool import EACH, FEWEST, FIRST, MOST
from search.run.request import check_number, check_pays
from search.run.room import room_of
from search.run.slots import Slots, local_slots
from search.run.text import prepare_text, token_preparer
from search.run.timed import Timed, at_a_time, time_sample
from search.run.watcher import Silent, Watcher
from search.space.limits import check_limits
from search.space.schema.resources import ResourcesSpec
from search.space.space import Space

SAMPLE = 60
RESTARTS = 3
"""In the strategy "front": models that are built beyond those of whole trainings, for each of these."""
DESIGNS = 3
"""In the strategy "front": designs that are begun for each whole training, at most."""
PROFILE_STEPS = 3
"""Steps on fake tensors in the whole profile that a trained candidate gets; its choice needs one of them."""
TIMED = 8
"""Candidates that are timed, at least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to expect of a search.

    Attributes:
        sampled: candidates drawn at random.
        admitted: how many of them every limit and constraint admits.
        excluded: by limit or constraint, how many of them exceed it; by "free memory", how many need more than that.
        memory: smallest, median and largest predicted bytes of an admitted candidate's training step.
        trials: trials to be trained; in the strategy "front" whole trainings that the tokens pay for.
        wanted: trials that were asked for; more than `trials` where the space has no more candidates.
        tokens: training tokens of all of them at most, none pruned.
        strategy: of the search.
        concurrent: trials at a time, on average; fewer than `slots` where they have no room in memory side by side.
        slots: for trials, as the user asks or the machine has cores or GPUs.
        timed: how many candidates were timed.
        speed: training tokens per second of the slowest and of the fastest of them, all slots busy.
        measured_on: the device: "one thread", or the GPU's name.
        time: how long the search takes on this machine.
    """

    sampled: int
    admitted: int
    excluded: Mapping[str, int]
    memory: tuple[int, int, int]
    trials: int
    wanted: int
    tokens: int
    concurrent: int
    slots: int
    timed: int
    speed: tuple[float, float]
    measured_on: str
    time: Estimate
    strategy: str = "prune"

    @property
    def share(self) -> float:
        """The share of the sample that is admitted."""
        return self.admitted / self.sampled


def plan_search(
    space: Space,
    trials: int | None = None,
    *,
    tokens: int | None = None,
    concurrent: int | None = None,
    sample: int = SAMPLE,
    timed: int = TIMED,
    watcher: Watcher | None = None,
) -> Plan:
    """Read the text, draw `sample` candidates, profile them, begin to train `timed`. Writes to the token cache alone.

    Raises:
        UserError: no candidate of the sample meets the limits or has room in memory, the text cannot be used, a number
            is invalid, or a process that timed candidates died.
    """
    watcher = watcher or Silent()
    for name, value in (("trials", trials), ("tokens", tokens), ("concurrent", concurrent)):
        check_number(name, value)
    check_pays(space, trials, tokens)
    with space.placing_errors():
        watcher.phase("checking the limits")
        check_limits(space)
        space, _ = prepare_text(space, token_preparer(Path.cwd(), watcher), watcher)
        watcher.phase("drawing and profiling candidates")
        slots = _slots(space.search.resources, concurrent or space.search.concurrent)
        room = _room(slots)
        drawn, profile_seconds = draw(space, sample, room)
        kept = admitted(space, drawn, room)
    watcher.phase("timing training steps")
    wanted = Budget.of(space, trials=trials, tokens=tokens)
    budget = wanted.within(space)
    trials = budget.trainings(space)
    places, shared = min(slots.count, trials), room if slots.device == "cpu" else None
    timings, slot_start = time_sample(kept, places, slots.device, at_least=timed, room=shared)
    settings, front = space.search, space.search.strategy == "front"
    running, restarts = at_a_time(timings, places, shared), RESTARTS * trials if front else 0
    estimate = estimate_search(
        [timing.trial_seconds(item.candidate) for item, timing in timings],
        trials=trials,
        slots=running,
        random_trials=trials if settings.sampler in ("random", "grid") else settings.startup,
        prunes=settings.pruner != "none" and not front,
        slot_start=slot_start,
        proposals=profile_seconds * _profiles(front, trials, sample / len(kept)),
        restarts=restarts * max(timing.setup for _, timing in timings),
    )
    return Plan(
        **_figures(drawn, kept),
        trials=trials,
        wanted=wanted.trainings(space),
        tokens=budget.tokens or trials * max(item.candidate.training.tokens for item in kept),
        concurrent=running,
        slots=places,
        timed=len(timings),
        speed=_speeds(timings),
        measured_on=_measured_on(slots),
        time=estimate,
        strategy=settings.strategy,
    )


def _figures(drawn: Sequence[Drawn], kept: Sequence[Drawn]) -> dict[str, Any]:
    """What a plan says of its sample."""
    memory = [item.memory for item in kept]
    return {
        "sampled": len(drawn),
        "admitted": len(kept),
        "excluded": dict(Counter(name for item in drawn for name in item.excluded_by).most_common()),
        "memory": (min(memory), round(median(memory)), max(memory)),
    }


def _profiles(front: bool, trials: int, draws: float) -> float:
    """How many candidates are profiled as far as a choice needs; a whole profile counts for as many as it has steps.

    Args:
        draws: for each proposal that the limits admit.
    """
    if not front:
        return PROFILE_STEPS * draws * trials
    designs = DESIGNS * trials
    fewest, most = (draws * (designs + untried) for untried in (FEWEST, MOST))
    return min(max(FIRST + EACH * designs, fewest), most) + (PROFILE_STEPS - 1) * designs


def _speeds(timed: Timed) -> tuple[float, float]:
    candidates = [(item.candidate, timing) for item, timing in timed]
    speeds = [one.training.batch_size * one.model.context / timing.step for one, timing in candidates]
    return min(speeds), max(speeds)


def _slots(resources: ResourcesSpec, concurrent: int | None) -> Slots:
    import torch

    return local_slots(resources, concurrent, usable_cores(), torch.cuda.device_count(), free_memory())


def _room(slots: Slots) -> int | None:
    """Bytes that a trial may take on this machine; trials on its CPU share them. None where that is not known."""
    if slots.device == "cuda":
        import torch

        from search.run.ray.memory_cap import MemoryCap

        return MemoryCap(torch.cuda, slots.gpu_share).share_bytes
    free = free_memory()
    return None if free is None else room_of(free, slots.count)


def _measured_on(slots: Slots) -> str:
    import torch

    return torch.cuda.get_device_name(0) if slots.device == "cuda" else "one thread each"
