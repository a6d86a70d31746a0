"""Limits and constraints against a candidate's figures: what it exceeds, and whether a space can meet its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.space.objectives import LIMITS
from search.space.smallest import smallest_candidates
from search.space.space import Space

Profile = Mapping[str, Any]
"""A candidate's figures that are known before training, as a `CandidateProfile` gives them."""


DOES_NOT_HOLD = "does not hold"
"""What `worst_violation` says of a constraint."""


def alike(candidate: Candidate) -> Candidate:
    """Candidates of one profile made equal: what only moves the loss is set to one value."""
    return replace(candidate, training=replace(candidate.training, learning_rate=1e-3, warmup=0.0, weight_decay=0.0))


def violations(space: Space, candidate: Candidate, profile: Profile) -> dict[str, float]:
    """By how much a candidate breaks each limit and constraint, by name; 0 or less where it keeps it.

    A limit is exceeded by a share of itself, a constraint by the difference of its sides.
    """
    over = {name: profile[LIMITS[name].key] / bound - 1 for name, bound in space.limits.items()}
    return {**over, **space.constraint_violations(candidate)}


def worst_violation(space: Space, broken: Mapping[str, float], profile: Profile) -> str:
    """The worst of `violations` in words, such as ``memory: 312 MiB > 256 MiB``; empty where all are kept."""
    name = max(broken, key=lambda key: broken[key], default="")
    if not name or broken[name] <= 0:
        return ""
    if name not in space.limits:
        return f"{name}: {DOES_NOT_HOLD}"
    figure, bound = LIMITS[name].format_both(profile[LIMITS[name].key], space.limits[name])
    return f"{name}: {figure} > {bound}"


def check_limits(space: Space) -> None:
    """Profiles the smallest candidates of the space, a second or less each, until one meets all limits.

    With too many to try (more than `MOST_COMBINATIONS`), nothing is refused. Raises UserError, with the figure
    of the smallest, where no candidate can meet the limits.
    """
    if not space.limits:
        return
    from msarch.memory.candidate_profile import CandidateProfile  # imports torch

    tried: list[tuple[Candidate, Profile]] = []
    for candidate in smallest_candidates(space):
        profile = CandidateProfile(candidate)
        if all(profile[LIMITS[name].key] <= bound for name, bound in space.limits.items()):
            return
        tried.append((candidate, profile))
    if tried:
        raise _cannot_be_met(space, tried)


def _cannot_be_met(space: Space, tried: list[tuple[Candidate, Profile]]) -> UserError:
    for name, bound in space.limits.items():
        limit = LIMITS[name]
        candidate, profile = min(tried, key=lambda pair: pair[1][limit.key])
        if profile[limit.key] > bound:
            allowed, figure = limit.format_both(bound, profile[limit.key])
            text = f"no candidate fits {allowed}; the smallest ({summary(candidate)}) {_with_unit(name, figure)}"
            return UserError(text, key=f"limits.{name}")
    # Each limit alone can be met, by candidates that exceed another one.
    candidate, profile = min(tried, key=lambda pair: max(violations(space, *pair).values()))
    both = {name: LIMITS[name].format_both(bound, profile[LIMITS[name].key]) for name, bound in space.limits.items()}
    bounds = " and ".join(f"{name} {allowed}" for name, (allowed, _) in both.items())
    figures = " and ".join(_with_unit(name, figure) for name, (_, figure) in both.items())
    text = f"no candidate fits {bounds} together; the nearest ({summary(candidate)}) {figures}"
    return UserError(text, key="limits")


def _with_unit(name: str, figure: str) -> str:
    """``needs 12 MiB``, ``has 5M parameters``."""
    unit = {"parameters": " parameters", "flops_per_token": " FLOPs per token"}.get(name, "")
    return f"{'needs' if LIMITS[name].quantity == 'size' else 'has'} {figure}{unit}"


def summary(candidate: Candidate) -> str:
    """A candidate in a few words: ``top_down 1@4 1@1, d_model 32, context 128``."""
    model = candidate.model
    return f"{model.variant} {model.layers}, d_model {model.d_model}, context {model.context}"
