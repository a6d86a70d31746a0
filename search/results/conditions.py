"""The conditions of a training step: those a candidate was trained under, and others to compare with ("what if")."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from msarch.config import TrainingConfig
from msarch.config.candidate import Candidate
from msarch.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Settings that replace a candidate's own; None keeps the candidate's. Values are checked by `apply`.

    Attributes:
        batch_size: sequences in a step.
        context: tokens in a sequence.
        attention: the attention kernel.
        loss: how the loss is computed.
        dtype: the precision.
        checkpointing: what the backward pass recomputes.
    """

    batch_size: int | None = None
    context: int | None = None
    attention: str | None = None
    loss: str | None = None
    dtype: str | None = None
    checkpointing: str | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())

    def apply(self, candidate: Candidate) -> Candidate:
        """The candidate under these conditions. Raises UserError under the option's name."""
        given: dict[str, Any] = {name: value for name, value in asdict(self).items() if value is not None}
        context = given.pop("context", candidate.model.context)
        try:
            training = replace(candidate.training, **given)
            return replace(candidate, model=replace(candidate.model, context=context), training=training)
        except UserError as error:
            raise _named_as_option(error) from None

    def check(self) -> None:
        """Raises UserError for a value that no candidate could have."""
        given: dict[str, Any] = {name: value for name, value in asdict(self).items() if value is not None}
        given.pop("context", None)
        try:
            TrainingConfig(**{"batch_size": 1, **given})
        except UserError as error:
            raise _named_as_option(error) from None

    def describe(self) -> str:
        """For people: ``batch 64, context 2,048, unfused attention, checkpointing block``."""
        words = [f"batch {self.batch_size:,}" if self.batch_size is not None else ""]
        words.append(f"context {self.context:,}" if self.context is not None else "")
        words.append(f"{self.attention} attention" if self.attention else "")
        words.append(f"{self.loss} loss" if self.loss else "")
        words.append(self.dtype or "")
        words.append(
            {None: "", "none": "no checkpointing"}.get(self.checkpointing, f"checkpointing {self.checkpointing}")
        )
        return ", ".join(word for word in words if word)


def describe_conditions(candidate: Candidate) -> str:
    """The conditions that a candidate itself names, in the same words."""
    training = candidate.training
    return Conditions(
        batch_size=training.batch_size,
        context=candidate.model.context,
        attention=training.attention,
        loss=training.loss,
        dtype=training.dtype,
        checkpointing=training.checkpointing,
    ).describe()


def _named_as_option(error: UserError) -> UserError:
    return UserError(error.message, key=f"--{error.key.replace('_', '-')}" if error.key else "")
