"""What a search minimises, and what it may limit: names, the figures they stand for, how people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from msarch.errors import UserError, quoted, unknown
from msarch.units import format_bytes, format_count, parse_bytes, parse_count


@dataclass(frozen=True, slots=True)
class Objective:
    """Something a search minimises.

    Attributes:
        name: as it stands under ``objectives:``.
        key: the figure of a profile or of a result that it reads.
        label: for axes and column heads.
        unit: "bytes", "bits", "seconds", or empty for a plain number.
        known_before_training: whether the profile has it, so that a pruner may rely on it.
        quality: whether it says how good the model is, rather than what it costs.
    """

    name: str
    key: str
    label: str
    unit: str = ""
    known_before_training: bool = True
    quality: bool = False


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("perplexity", "perplexity", "validation perplexity", known_before_training=False, quality=True),
        Objective("bits_per_byte", "bits_per_byte", "bits per byte", "bits", known_before_training=False, quality=True),
        Objective("memory", "memory_bytes", "training memory", "bytes"),
        Objective("memory_unfused", "memory_unfused_bytes", "training memory, unfused attention", "bytes"),
        Objective("memory_checkpointed", "memory_checkpointed_bytes", "training memory with checkpointing", "bytes"),
        Objective("cache", "cache_bytes", "inference cache", "bytes"),
        Objective("parameters", "parameters", "parameters"),
        Objective("flops_per_token", "flops_per_token", "FLOPs per token"),
        Objective("step_time", "step_seconds", "time per step", "seconds", known_before_training=False),
    )
}
"""Every objective. The time of a step is counted from the first rung, and differs from run to run."""

DEFAULT_OBJECTIVES = ("perplexity", "memory")


def judged_in_bits(objectives: Sequence[str]) -> bool:
    """Whether trials are judged by bits per byte; else by the loss in nats per token, of which perplexity is the exp.

    Nats per token compare within one vocabulary only, so a space whose tokenizer varies has no perplexity.
    """
    return "bits_per_byte" in objectives and "perplexity" not in objectives


def label_under(name: str, conditions: str) -> str:
    """An objective's label on an axis where what is known before training stands under other conditions."""
    objective = OBJECTIVES[name]
    if not conditions:
        return objective.label
    return (
        f"{objective.label} with {conditions}" if objective.known_before_training else f"{objective.label}, as trained"
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """Something a search keeps below a bound: a candidate above it is never trained.

    Attributes:
        key: the figure of a profile that it bounds.
        quantity: "size" in bytes, or "count".
        meaning: one line for documentation.
        example: a bound as it is written.
    """

    key: str
    quantity: Literal["size", "count"]
    meaning: str
    example: str

    def parse(self, raw: object) -> int:
        """The bound written as `raw`, in bytes or as a count. Raises UserError."""
        return parse_bytes(raw) if self.quantity == "size" else parse_count(raw)

    def format(self, figure: float) -> str:
        """A figure as people read it."""
        return format_bytes(figure) if self.quantity == "size" else format_count(figure)

    def format_both(self, one: float, other: float) -> tuple[str, str]:
        """Two figures as people read them; exact where rounding would make different ones look equal."""
        one_text, other_text = self.format(one), self.format(other)
        if one == other or one_text != other_text:
            return one_text, other_text
        unit = " bytes" if self.quantity == "size" else ""
        return f"{one:,.0f}{unit}", f"{other:,.0f}{unit}"


LIMITS: dict[str, Limit] = {
    "memory": Limit("memory_bytes", "size", "peak bytes of one training step, as trained", "256 MiB"),
    "memory_unfused": Limit(
        "memory_unfused_bytes", "size", "the same with attention scores kept, as before 2022", "1 GiB"
    ),
    "parameters": Limit("parameters", "count", "trained numbers of the model, embeddings included", "5M"),
    "cache": Limit("cache_bytes", "size", "bytes of the inference cache at full context, in training.dtype", "2 MiB"),
    "flops_per_token": Limit(
        "flops_per_token", "count", "operations per token of one training step, forward and backward", "20M"
    ),
}
"""Every limit and the figure of the profile that it bounds."""


def parse_objectives(raw: object) -> tuple[str, ...]:
    """Two or three names, at least one of quality and one of cost. Raises UserError."""
    if not isinstance(raw, list):
        raise UserError(f"must be a list such as [perplexity, memory], got {quoted(raw)}")
    for index, name in enumerate(raw):
        if not isinstance(name, str) or name not in OBJECTIVES:
            raise UserError(unknown("objective", quoted(name).strip("'"), OBJECTIVES), key=f"[{index}]")
        if name in raw[:index]:
            raise UserError(f"{name} is given twice", key=f"[{index}]")
    if len(raw) not in (2, 3):
        raise UserError(f"must be two or three, such as [perplexity, memory], got {quoted(raw)}")
    if not any(OBJECTIVES[name].quality for name in raw):
        raise UserError(f"one must say how good a model is: add perplexity or bits_per_byte to {quoted(raw)}")
    if all(OBJECTIVES[name].quality for name in raw):
        raise UserError(f"one must say what a model costs: add memory or parameters to {quoted(raw)}")
    return tuple(raw)
