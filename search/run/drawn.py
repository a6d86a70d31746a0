"""Candidates drawn at random from a space: their profiles, and what keeps a search from training them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError, quoted
from search.ledger.records import NO_ROOM
from search.space.limits import violations
from search.space.objectives import LIMITS
from search.space.space import Space


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """A candidate drawn at random: its profile, and what excludes it: limits, constraints, the machine's memory."""

    candidate: Candidate
    profile: Mapping[str, Any]
    excluded_by: list[str]

    @property
    def cost(self) -> float:
        """Operations of its whole training."""
        return float(self.profile["flops_per_token"]) * self.candidate.training.tokens

    @property
    def memory(self) -> int:
        """Predicted bytes of its training step."""
        return int(self.profile["memory_bytes"])


def draw_candidates(space: Space, count: int) -> list[Candidate]:
    """Candidates as the random sampler proposes them, the same ones each time."""
    import optuna

    from search.ledger.studies import quiet_optuna

    with quiet_optuna():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=space.search.seed))
        return [space.suggest(study.ask()) for _ in range(count)]


def draw(space: Space, count: int, room: int | None) -> tuple[list[Drawn], float]:
    """Candidates with their profiles, and the mean seconds of as much of a profile as a choice needs.

    Args:
        room: bytes that one trial may take on this machine; None where that is not known.
    """
    from msarch.memory.candidate_profile import CandidateProfile

    candidates, began = draw_candidates(space, count), time.perf_counter()
    drawn = []
    for candidate in candidates:
        profile = CandidateProfile(candidate)
        excluded_by = [name for name, value in violations(space, candidate, profile).items() if value > 0]
        needed = profile["memory_bytes"]  # counted in the time, though no limit may read it
        excluded_by += [NO_ROOM] if room is not None and needed > room else []
        drawn.append(Drawn(candidate=candidate, profile=profile, excluded_by=excluded_by))
    return drawn, (time.perf_counter() - began) / count


def admitted(space: Space, drawn: Sequence[Drawn], room: int | None) -> list[Drawn]:
    """Those that nothing excludes. Raises UserError where there are none."""
    kept = [item for item in drawn if not item.excluded_by]
    if kept:
        return kept
    name, _ = Counter(name for item in drawn for name in item.excluded_by).most_common(1)[0]
    if name == NO_ROOM:
        assert room is not None
        needed, free = LIMITS["memory"].format_both(min(item.memory for item in drawn), room)
        raise UserError(
            f"none of {len(drawn)} candidates drawn at random fits into the {free} free for it on this machine; the "
            f"smallest needs {needed}"
        )
    if name not in space.limits:
        raise UserError(f"none of {len(drawn)} candidates drawn at random meets {quoted(name)}", key="limits")
    smallest = min(item.profile[LIMITS[name].key] for item in drawn)
    allowed, needed = LIMITS[name].format_both(space.limits[name], smallest)
    raise UserError(
        f"none of {len(drawn)} candidates drawn at random stays within the {name} of {allowed}; the smallest has "
        f"{needed}",
        key="limits",
    )
