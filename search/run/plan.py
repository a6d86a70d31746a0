"""What a search would cost, before it is started: a random sample of its space, and a few real training steps."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.space.limits import violations
from search.space.objectives import LIMITS
from search.space.space import Space

if TYPE_CHECKING:
    import torch

SAMPLE = 60
PRUNED_SHARE = 0.6
"""Share of the tokens that is spent in expectation after the first trials, where a pruner is at work."""
UNPRUNED = 8
"""Trials that no pruner stops."""
VALIDATION = 1.03
"""Validations take at most 3 % of a trial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to expect of a search.

    Attributes:
        sampled: candidates drawn at random.
        admitted: how many of them every limit and constraint admits.
        excluded: by limit or constraint, how many of them exceed it.
        memory: smallest, median and largest predicted bytes of an admitted candidate's training step.
        trials: trials to be trained.
        tokens: training tokens of all of them at most, none pruned.
        tokens_expected: the same with the pruner at work.
        tokens_per_second: of the median admitted candidate, one trial alone.
        measured_on: what on: "one thread", or the GPU's name.
        concurrent: trials at a time.
    """

    sampled: int
    admitted: int
    excluded: Mapping[str, int]
    memory: tuple[int, int, int]
    trials: int
    tokens: int
    tokens_expected: int
    tokens_per_second: float
    measured_on: str
    concurrent: int

    @property
    def share(self) -> float:
        """The share of the sample that is admitted."""
        return self.admitted / self.sampled

    @property
    def hours(self) -> float:
        """Hours that the search takes on this machine at most, none pruned."""
        return self._hours(self.tokens)

    @property
    def hours_expected(self) -> float:
        """The same with the pruner at work."""
        return self._hours(self.tokens_expected)

    def _hours(self, tokens: int) -> float:
        return tokens * VALIDATION / (self.tokens_per_second * self.concurrent) / 3600


def plan_search(
    space: Space, trials: int | None = None, *, concurrent: int | None = None, sample: int = SAMPLE
) -> Plan:
    """Draw `sample` candidates, profile them, and time a few training steps of the median one. Nothing is written.

    Raises:
        UserError: no candidate of the sample meets the limits.
    """
    from msarch.memory.profile import profile_candidate

    drawn = [(candidate, profile_candidate(candidate)) for candidate in draw_candidates(space, sample)]
    over = [_exceeded(space, candidate, profile) for candidate, profile in drawn]
    admitted = [pair for pair, names in zip(drawn, over, strict=True) if not names]
    counts = Counter(name for names in over for name in names)
    if not admitted:
        raise UserError(_nothing_admitted(space, drawn, counts), key="limits")
    device, measured_on, slots = _machine(concurrent or space.search.concurrent)
    memory = [profile["memory_bytes"] for _, profile in admitted]
    trials = trials or space.search.trials
    return Plan(
        sampled=sample,
        admitted=len(admitted),
        excluded=dict(counts.most_common()),
        memory=(min(memory), round(median(memory)), max(memory)),
        trials=trials,
        tokens=trials * max(candidate.training.tokens for candidate, _ in admitted),
        tokens_expected=_expected_tokens(space, [candidate.training.tokens for candidate, _ in admitted], trials),
        tokens_per_second=measure_speed(_median_candidate(admitted), device),
        measured_on=measured_on,
        concurrent=min(slots, trials),
    )


def _expected_tokens(space: Space, budgets: list[int], trials: int) -> int:
    whole = trials if space.search.pruner == "none" else min(trials, UNPRUNED)
    return round(sum(budgets) / len(budgets) * (whole + PRUNED_SHARE * (trials - whole)))


def draw_candidates(space: Space, count: int) -> list[Candidate]:
    """Candidates as the random sampler proposes them, the same ones each time."""
    import optuna

    from search.ledger.studies import quiet_optuna

    with quiet_optuna():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=space.search.seed))
        return [space.suggest(study.ask()) for _ in range(count)]


def measure_speed(candidate: Candidate, device: str = "cpu", *, seconds: float = 1.5) -> float:
    """Training tokens per second of a candidate on one thread, from at least two steps on random tokens."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        step = _stepper(candidate, device)
        step()  # the first one allocates
        began, steps = time.perf_counter(), 0
        while steps < 2 or time.perf_counter() - began < seconds:
            step()
            steps += 1
        return steps * candidate.training.batch_size * candidate.model.context / (time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)


def _stepper(candidate: Candidate, device: str) -> Any:
    import torch

    from msarch.models.build import build_model
    from msarch.training.step import make_optimizer, training_step

    model = build_model(candidate.model).to(device)
    optimizer = make_optimizer(model, candidate.training)
    shape = (candidate.training.batch_size, candidate.model.context)
    tokens: torch.Tensor = torch.randint(0, candidate.model.vocab_size, shape, device=device)
    # .item() waits for the device, so that what is timed has been done
    return lambda: training_step(model, optimizer, tokens, tokens, candidate.training).item()


def _exceeded(space: Space, candidate: Candidate, profile: dict[str, Any]) -> list[str]:
    return [name for name, value in violations(space, candidate, profile).items() if value > 0]


def _median_candidate(admitted: list[tuple[Candidate, dict[str, Any]]]) -> Candidate:
    ordered = sorted(admitted, key=lambda pair: float(pair[1]["flops_per_token"]))
    return ordered[len(ordered) // 2][0]


def _machine(concurrent: int | None) -> tuple[str, str, int]:
    import torch

    from msarch.machine import usable_cores

    gpus = torch.cuda.device_count()
    if gpus:
        return "cuda", torch.cuda.get_device_name(0), concurrent or gpus
    return "cpu", "one thread", min(concurrent or usable_cores(), usable_cores())


def _nothing_admitted(space: Space, drawn: list[tuple[Candidate, dict[str, Any]]], counts: Counter[str]) -> str:
    name, _ = counts.most_common(1)[0]
    if name not in space.limits:
        return f"none of {len(drawn)} candidates drawn at random meets '{name}'"
    limit = LIMITS[name]
    least = min(profile[limit.key] for _, profile in drawn)
    return (
        f"none of {len(drawn)} candidates drawn at random stays within the {name} of "
        f"{limit.format(space.limits[name])}; the smallest has {limit.format(least)}"
    )
