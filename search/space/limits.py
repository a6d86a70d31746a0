"""Limits against figures: what a profile exceeds, and whether anything in a space can meet them at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.space.objectives import LIMITS
from search.space.space import Space


def exceeded(space: Space, profile: Mapping[str, Any]) -> dict[str, float]:
    """By how much `profile` exceeds each limit of the space, by name; 0 or less where it does not."""
    return {name: profile[LIMITS[name].key] - bound for name, bound in space.limits.items()}


def check_limits(space: Space) -> None:
    """Profiles the smallest candidate of each branch, a second or less each.

    Raises UserError, with the figure of the smallest, where none of them meets a limit.
    """
    if not space.limits:
        return
    from msarch.memory.profile import profile_candidate  # imports torch

    smallest = {name: space.smallest(name) for name in space.branches}
    profiles = {name: profile_candidate(candidate) for name, candidate in smallest.items()}
    for name, bound in space.limits.items():
        limit = LIMITS[name]
        branch = min(profiles, key=lambda variant: profiles[variant][limit.key])
        needed = profiles[branch][limit.key]
        if needed > bound:
            verb = "needs" if limit.key.endswith("_bytes") else "has"
            raise UserError(
                f"no candidate fits {limit.format(bound)}; the smallest ({summary(smallest[branch])}) {verb} "
                f"{limit.format(needed)}",
                key=f"limits.{name}",
                file=space.file,
            )


def summary(candidate: Candidate) -> str:
    """A candidate in a few words: ``top_down 1@4 1@1, d_model 32, context 128``."""
    model = candidate.model
    return f"{model.variant} {model.layers}, d_model {model.d_model}, context {model.context}"
