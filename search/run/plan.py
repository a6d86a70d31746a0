"""What a search would cost, before it is started: a random sample of its space, of which a few candidates are timed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError, quoted
from search.run.budget import Budget
from search.run.estimate import Estimate, estimate_search
from search.run.pool import EACH, FEWEST, FIRST, MOST
from search.run.request import check_number, check_pays
from search.run.slots import local_slots
from search.run.text import prepare_text, token_preparer
from search.run.timing import Timing, time_on_slots
from search.run.watcher import Silent, Watcher
from search.space.limits import check_limits, violations
from search.space.objectives import LIMITS
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
class Drawn:
    """A candidate drawn at random: its profile, and by which limits and constraints it is excluded."""

    candidate: Candidate
    profile: Mapping[str, Any]
    excluded_by: list[str]

    @property
    def cost(self) -> float:
        """Operations of its whole training."""
        return float(self.profile["flops_per_token"]) * self.candidate.training.tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to expect of a search.

    Attributes:
        sampled: candidates drawn at random.
        admitted: how many of them every limit and constraint admits.
        excluded: by limit or constraint, how many of them exceed it.
        memory: smallest, median and largest predicted bytes of an admitted candidate's training step.
        trials: trials to be trained; in the strategy "front" whole trainings that the tokens pay for.
        tokens: training tokens of all of them at most, none pruned.
        strategy: of the search.
        concurrent: trials at a time.
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
    tokens: int
    concurrent: int
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
        UserError: no candidate of the sample meets the limits, the text cannot be used, or a number is invalid.
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
        drawn, profile_seconds = _draw(space, sample)
        admitted = _admitted(space, drawn)
        device, measured_on, slots = _machine(space.search.resources, concurrent or space.search.concurrent)
    watcher.phase("timing training steps")
    budget = Budget.of(space, trials=trials, tokens=tokens)
    trials = budget.trials or max(1, (budget.tokens or 0) // space.tokens_per_trial)
    slots = min(slots, trials)
    timings, slot_start = time_candidates(admitted, slots, device, at_least=timed)
    settings, front = space.search, space.search.strategy == "front"
    restarts = RESTARTS * trials if front else 0
    estimate = estimate_search(
        [timing.trial_seconds(candidate) for candidate, timing in timings],
        trials=trials,
        slots=slots,
        random_trials=trials if settings.sampler in ("random", "grid") else settings.startup,
        prunes=settings.pruner != "none" and not front,
        slot_start=slot_start,
        proposals=profile_seconds * _profiles(front, trials, sample / len(admitted)),
        restarts=restarts * max(timing.setup for _, timing in timings),
    )
    return Plan(
        **_figures(drawn, admitted),
        trials=trials,
        tokens=budget.tokens or trials * max(item.candidate.training.tokens for item in admitted),
        concurrent=slots,
        timed=len(timings),
        speed=_speeds(timings),
        measured_on=measured_on,
        time=estimate,
        strategy=settings.strategy,
    )


def _figures(drawn: Sequence[Drawn], admitted: Sequence[Drawn]) -> dict[str, Any]:
    """What a plan says of its sample."""
    memory = [item.profile["memory_bytes"] for item in admitted]
    return {
        "sampled": len(drawn),
        "admitted": len(admitted),
        "excluded": dict(Counter(name for item in drawn for name in item.excluded_by).most_common()),
        "memory": (min(memory), round(median(memory)), max(memory)),
    }


def _draw(space: Space, count: int) -> tuple[list[Drawn], float]:
    """Candidates with their profiles, and the mean seconds of as much of a profile as a choice needs."""
    from msarch.memory.candidate_profile import CandidateProfile

    candidates, began = draw_candidates(space, count), time.perf_counter()
    drawn = []
    for candidate in candidates:
        profile = CandidateProfile(candidate)
        drawn.append(Drawn(candidate=candidate, profile=profile, excluded_by=_excluded_by(space, candidate, profile)))
        _ = profile["memory_bytes"]  # told, and timed, where no limit reads it
    return drawn, (time.perf_counter() - began) / count


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


def draw_candidates(space: Space, count: int) -> list[Candidate]:
    """Candidates as the random sampler proposes them, the same ones each time."""
    import optuna

    from search.ledger.studies import quiet_optuna

    with quiet_optuna():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=space.search.seed))
        return [space.suggest(study.ask()) for _ in range(count)]


def time_candidates(
    admitted: Sequence[Drawn], slots: int, device: str, *, at_least: int
) -> tuple[list[tuple[Candidate, Timing]], float]:
    """Candidates from cheap to costly with their timings, all slots busy; and the seconds that a slot takes to start.

    A candidate that was not timed is assumed to run at the speed of the others, by its number of operations.
    """
    count = slots * -(-at_least // slots)
    ordered = sorted(admitted, key=lambda item: item.cost)
    chosen = [ordered[int((index + 0.5) * len(ordered) / count)] for index in range(count)]
    by_slot = [chosen[slot::slots] for slot in range(slots)]  # each from cheap to costly
    timings, start = time_on_slots([[item.candidate for item in items] for items in by_slot], device)
    measured = [pair for items, found in zip(by_slot, timings, strict=True) for pair in zip(items, found, strict=False)]
    missing = [item for items, found in zip(by_slot, timings, strict=True) for item in items[len(found) :]]
    scaled = [(item.candidate, _scaled(item, measured)) for item in missing]
    return [(item.candidate, timing) for item, timing in measured] + scaled, start


def _scaled(item: Drawn, measured: Sequence[tuple[Drawn, Timing]]) -> Timing:
    """The timing of the costliest candidate measured, in proportion to the operations of a step."""
    known, timing = max(measured, key=lambda pair: pair[0].cost)
    ratio = _step_operations(item) / _step_operations(known)
    return Timing(**{name: seconds * ratio for name, seconds in asdict(timing).items()})


def _step_operations(item: Drawn) -> float:
    training = item.candidate.training
    return float(item.profile["flops_per_token"]) * training.batch_size * item.candidate.model.context


def _speeds(timed: Sequence[tuple[Candidate, Timing]]) -> tuple[float, float]:
    speeds = [one.training.batch_size * one.model.context / timing.step for one, timing in timed]
    return min(speeds), max(speeds)


def _machine(resources: ResourcesSpec, concurrent: int | None) -> tuple[str, str, int]:
    import torch

    from msarch.machine import free_memory, usable_cores

    slots = local_slots(resources, concurrent, usable_cores(), torch.cuda.device_count(), free_memory())
    measured_on = torch.cuda.get_device_name(0) if slots.device == "cuda" else "one thread each"
    return slots.device, measured_on, slots.count


def _excluded_by(space: Space, candidate: Candidate, profile: Mapping[str, Any]) -> list[str]:
    return [name for name, value in violations(space, candidate, profile).items() if value > 0]


def _admitted(space: Space, drawn: Sequence[Drawn]) -> list[Drawn]:
    """Those that nothing excludes. Raises UserError where there are none."""
    admitted = [item for item in drawn if not item.excluded_by]
    if admitted:
        return admitted
    name, _ = Counter(name for item in drawn for name in item.excluded_by).most_common(1)[0]
    if name not in space.limits:
        raise UserError(f"none of {len(drawn)} candidates drawn at random meets {quoted(name)}", key="limits")
    smallest = min(item.profile[LIMITS[name].key] for item in drawn)
    allowed, needed = LIMITS[name].format_both(space.limits[name], smallest)
    raise UserError(
        f"none of {len(drawn)} candidates drawn at random stays within the {name} of {allowed}; the smallest has "
        f"{needed}",
        key="limits",
    )
