"""How a model is trained, as a frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msarch.config.checks import check_number, check_types, check_whole, choices_of
from msarch.errors import UserError, quoted

DEFAULT_RUNGS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


LARGEST_BATCH, MOST_TOKENS = 2**31, 10**15
"""Above these, sizes would not fit 64 bits, and no machine could train that long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """How a model is trained; every field that changes memory or the result is part of it.

    Attributes:
        batch_size: sequences in a step.
        tokens: the budget, in training tokens; steps = tokens / (batch_size * context), rounded up.
        learning_rate: the peak, reached after warm-up.
        schedule: "cosine", or "wsd": constant after warm-up, then linear decay over the last fifth, so that a run
            can be continued to a larger budget from a checkpoint before its decay.
        warmup: share of the steps in which the learning rate rises linearly from 0.
        final_learning_rate: where the schedule ends, as a share of the peak.
        weight_decay: AdamW's decoupled decay, on matrices only.
        betas: AdamW's moment decays.
        clip: largest norm of the gradient; 0 switches clipping off.
        attention: "fused" never keeps scores; "unfused" keeps the (time x time) scores, as before 2022.
        loss: "chunked" never holds all logits; "full" does.
        dtype: "float32", or "bfloat16" for autocast with float32 parameters.
        optimizer: "adamw", the fused implementation.
        checkpointing: "none", or "block" to recompute each block in the backward pass.
        rungs: shares of the budget at which the model is validated and may be stopped early.
        validation_tokens: target tokens of each validation, the first of the split; 0 derives 0.8 % of the
            budget, so that six validations cost less than 3 % of a trial.
    """

    batch_size: int
    tokens: int = 1_000_000
    learning_rate: float = 3e-3
    schedule: Literal["cosine", "wsd"] = "cosine"
    warmup: float = 0.05
    final_learning_rate: float = 0.1
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    attention: Literal["fused", "unfused"] = "fused"
    loss: Literal["chunked", "full"] = "chunked"
    dtype: Literal["float32", "bfloat16"] = "float32"
    optimizer: Literal["adamw"] = "adamw"
    checkpointing: Literal["none", "block"] = "none"
    rungs: tuple[float, ...] = DEFAULT_RUNGS
    validation_tokens: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "batch_size", low=1, high=LARGEST_BATCH)
        check_whole(self, "tokens", low=1, high=MOST_TOKENS)
        check_whole(self, "validation_tokens", low=0, high=MOST_TOKENS)
        for name in ("learning_rate", "weight_decay", "clip"):
            check_number(self, name, low=0.0)
        for name in ("warmup", "final_learning_rate"):
            check_number(self, name, low=0.0, high=1.0)
        if self.learning_rate == 0:
            raise UserError("the learning rate must be above 0, got 0", key="learning_rate")
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise UserError(f"each beta is at least 0 and below 1, got {beta}", key="betas")
        if not self.rungs or self.rungs[-1] != 1.0 or list(self.rungs) != sorted({*self.rungs}) or self.rungs[0] <= 0:
            raise UserError(f"rungs rise from above 0 and end at 1, got {quoted(list(self.rungs))}", key="rungs")

    def steps(self, context: int) -> int:
        """Optimizer steps that spend the budget on sequences of `context` tokens."""
        return max(1, -(-self.tokens // (self.batch_size * context)))

    def targets(self) -> int:
        """Target tokens of each validation."""
        return self.validation_tokens or max(256, round(0.008 * self.tokens))


TRAINING_CHOICES = choices_of(TrainingConfig)
"""The legal words of each option that is one of a few."""
