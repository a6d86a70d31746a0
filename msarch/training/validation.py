"""One validation of a training run: a point of its curve, in checkpoints, records and tables alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """One validation of a training run.

    Attributes:
        rung: its index among the training configuration's rungs.
        step, tokens: updates and training tokens so far.
        loss: nats per token; `bits_per_byte` the same per byte of text.
        seconds: time so far, over all runs of a resumed trial, validations included.
    """

    rung: int
    step: int
    tokens: int
    loss: float
    bits_per_byte: float
    seconds: float
