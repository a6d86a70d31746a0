"""What became of each candidate: the rows from which every table, front and report is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation

TrialState = Literal["complete", "pruned", "infeasible", "duplicate", "failed", "running"]

DIVERGED = "loss is not finite"
"""In the error of a trial that diverged."""

NO_ROOM = "free memory"
"""The limit that is named where a trial needs more memory than the machine of that run has free."""

TRAINED: tuple[TrialState, ...] = ("complete", "pruned", "failed")
"""Final states of a trial that was trained: these count towards a search's number of trials."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRecord:
    """A candidate and what became of it.

    Attributes:
        number: the trial's number in the ledger; gaps are not possible.
        state: complete, pruned, infeasible (never trained, or out of memory), duplicate (of `twin`), failed or running.
            A paused trial is pruned until it is resumed.
        candidate: what was proposed, in its portable form.
        profile: figures known before training: memory_bytes, memory_unfused_bytes, cache_bytes, parameters,
            parameters_embedding, flops_per_token, and whatever else the profile recorded.
        curve: validations in the order of tokens.
        loss: final validation loss in nats per token; only where complete (or the twin's, for a duplicate).
        bits_per_byte: the same, per byte.
        seconds: training time; 0 where nothing was trained.
        memory_measured_bytes: the peak of a training step as a GPU measured it, or, where it ran out of memory, what it
            would have needed at least; else None.
        violation: the limit that an infeasible candidate exceeds, such as "memory: 312 MiB > 256 MiB".
        twin: of a duplicate, the number of the trial with the same candidate.
        error: why a trial failed, one line.
        control_rung: where the pruner would have stopped the trial, had it not run on as a control.
        paused: whether a pruned trial may be resumed: its checkpoint is kept.
    """

    number: int
    state: TrialState
    candidate: Candidate
    profile: dict[str, Any] = field(default_factory=dict)
    curve: tuple[Validation, ...] = ()
    loss: float | None = None
    bits_per_byte: float | None = None
    seconds: float = 0.0
    memory_measured_bytes: int | None = None
    violation: str = ""
    twin: int | None = None
    error: str = ""
    control_rung: int | None = None
    paused: bool = False

    @property
    def shown_state(self) -> str:
        """The state as people read it: "paused" for a trial that may be resumed."""
        return "paused" if self.paused else self.state

    @property
    def diverged(self) -> bool:
        """Whether it failed because its loss was not finite, and not for a reason that has nothing to do with it."""
        return self.state == "failed" and DIVERGED in self.error

    @property
    def had_no_room(self) -> bool:
        """Whether it was infeasible for the machine of that run alone; another one may have room for it."""
        return self.state == "infeasible" and self.violation.startswith(f"{NO_ROOM}:")

    @property
    def ran_out(self) -> bool:
        """Whether it was infeasible only when it was tried: the GPU's memory ran out."""
        return self.state == "infeasible" and self.memory_measured_bytes is not None
