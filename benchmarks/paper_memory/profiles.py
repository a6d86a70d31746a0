"""The profiles behind `benchmarks.paper_memory.command`: every allocation of the paper's space under every condition.

Each row is one memory profile of one training step. Rows are kept in a CSV file as they are made, so that an
interrupted run continues where it stopped. Delete the file after a change of the models.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from msarch import ModelConfig, TrainingConfig, profile_training_step
from search.space.load import load_space
from search.space.space import Space

SPACE = "paper-bookcorpus"
BASELINE = ("vanilla", "14@1")
BATCHES = (16, 64)

# In the order of the table: the paper's day first.
Attention: TypeAlias = Literal["unfused", "fused"]
Loss: TypeAlias = Literal["full", "chunked"]
Checkpointing: TypeAlias = Literal["none", "block"]


@dataclass(frozen=True, order=True)
class Condition:
    """Everything but the architecture that decides memory.

    Attributes:
        batch_size: sequences in a step.
        attention: "unfused" keeps the scores, as in the paper's day; "fused" does not.
        loss: "full" holds all logits, "chunked" does not.
        checkpointing: "block" computes each layer again in the backward pass.
    """

    batch_size: int
    attention: Attention
    loss: Loss
    checkpointing: Checkpointing

    def training(self) -> TrainingConfig:
        """The training of a step, with defaults for everything else: AdamW, float32."""
        return TrainingConfig(**asdict(self))


TODAY = Condition(16, "fused", "chunked", "none")


@dataclass(frozen=True)
class Row:
    """One profile, as the CSV file has it: bytes of the peak, and FLOPs of a step."""

    variant: str
    layers: str
    batch_size: int
    attention: str
    loss: str
    checkpointing: str
    memory_bytes: int
    activations_bytes: int
    flops: int
    parameters: int

    @property
    def key(self) -> tuple[object, ...]:
        """The model and the condition that were profiled."""
        return (self.variant, self.layers, self.batch_size, self.attention, self.loss, self.checkpointing)


class Profiles:
    """All rows, by allocation and condition."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {row.key: row for row in rows}
        self.models = list(dict.fromkeys((row.variant, row.layers) for row in rows))

    def row(self, model: tuple[str, str], condition: Condition) -> Row:
        """One profile."""
        return self._rows[(*model, *asdict(condition).values())]

    def memory(self, model: tuple[str, str], condition: Condition, *, against: Condition | None = None) -> float:
        """Memory over that of 14 vanilla layers, these under the same condition or under `against`."""
        return self.row(model, condition).memory_bytes / self.row(BASELINE, against or condition).memory_bytes

    def activations(self, model: tuple[str, str], condition: Condition) -> float:
        """Activations at the peak over those of 14 vanilla layers."""
        return self.row(model, condition).activations_bytes / self.row(BASELINE, condition).activations_bytes

    def flops(self, model: tuple[str, str], condition: Condition, *, against: Condition | None = None) -> float:
        """FLOPs of a step over those of 14 vanilla layers."""
        return self.row(model, condition).flops / self.row(BASELINE, against or condition).flops


def conditions() -> list[Condition]:
    """All conditions, those of the paper's day first."""
    words = (get_args(Attention), get_args(Loss), get_args(Checkpointing))
    return list(itertools.starmap(Condition, itertools.product(BATCHES, *words)))


def configs(space: Space | None = None) -> list[ModelConfig]:
    """Every allocation of the space's file, as a model."""
    from optuna.trial import FixedTrial

    space = space or load_space(SPACE)
    points = [
        {"variant": name, "layers": str(allocation)}
        for name, branch in space.branches.items()
        for allocation in branch.layers
    ]
    return [space.suggest(FixedTrial(space.fixed_params(point))).model for point in points]


def measure(models: Sequence[ModelConfig], known: Sequence[Row]) -> Iterator[tuple[Row, bool]]:
    """Each model under each condition, and whether its row was known already; a second or two for each that was not."""
    kept = {row.key: row for row in known}
    for model, condition in itertools.product(models, conditions()):
        key = (model.variant, model.layers, *asdict(condition).values())
        yield kept.get(key) or profile(model, condition), key in kept


def profile(model: ModelConfig, condition: Condition) -> Row:
    """One row."""
    found = profile_training_step(replace(model), condition.training())
    return Row(
        variant=model.variant,
        layers=model.layers,
        **asdict(condition),
        memory_bytes=found.peak_bytes,
        activations_bytes=found.activations,
        flops=found.flops,
        parameters=found.parameter_count,
    )


def read(file: Path) -> list[Row]:
    """The rows of a CSV file; none where there is none."""
    if not file.exists():
        return []
    kinds = {item.name: {"int": int, "str": str}[str(item.type)] for item in fields(Row)}
    with file.open(newline="") as lines:
        return [Row(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(lines)]


def append(file: Path, row: Row) -> None:
    """Write a row at the end of a CSV file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    with file.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=[item.name for item in fields(Row)])
        if new:
            writer.writeheader()
        writer.writerow(asdict(row))
