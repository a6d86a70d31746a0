"""The figures of a candidate that are known before training: its memory in three ways, its size, its operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from msarch.config.candidate import Candidate
from msarch.memory.inference import cache_bytes
from msarch.memory.memory_profile import MemoryProfile
from msarch.memory.profile import profile_training_step


def profile_candidate(candidate: Candidate, *, device: str = "cpu") -> dict[str, Any]:
    """All figures of a `CandidateProfile`."""
    return dict(CandidateProfile(candidate, device))


@dataclass(frozen=True, eq=False)
class CandidateProfile(Mapping[str, Any]):
    """Each figure by its name in records and tables, computed when it is first read.

    Memory with unfused attention, and with checkpointing, each take a training step of their own on fake tensors. Who
    chooses among hundreds of candidates seldom reads them.

    Sizes are bytes. `flops_per_token` is of a whole training step, forward and backward; `flops_per_token_forward` of
    its forward pass alone.
    """

    candidate: Candidate
    device: str = "cpu"
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = _FIGURES[name](self)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_FIGURES)

    def __len__(self) -> int:
        return len(_FIGURES)

    def step(self, **training: Any) -> MemoryProfile:
        """The profile of a training step, as trained or with other options; cached."""
        options = replace(self.candidate.training, **training)
        return profile_training_step(self.candidate.model, options, device=self.device)

    @property
    def tokens(self) -> int:
        """In a step."""
        return self.candidate.training.batch_size * self.candidate.model.context


_FIGURES: dict[str, Callable[[CandidateProfile], Any]] = {
    "memory_bytes": lambda one: one.step().peak_bytes,
    "memory_unfused_bytes": lambda one: one.step(attention="unfused").peak_bytes,
    "memory_checkpointed_bytes": lambda one: one.step(checkpointing="block").peak_bytes,
    "cache_bytes": lambda one: cache_bytes(one.candidate.model, one.candidate.training),
    "parameters": lambda one: one.step().parameter_count,
    "parameters_embedding": lambda one: one.step().embedding_count,
    "flops_per_token": lambda one: one.step().flops / one.tokens,
    "flops_per_token_forward": lambda one: one.step().flops_forward / one.tokens,
    "memory_by_kind": lambda one: one.step().by_kind,
    "peak_phase": lambda one: one.step().peak_phase,
    "peak_operation": lambda one: one.step().peak_operation,
}
