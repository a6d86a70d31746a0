"""One validation of a training run: a point of its curve, in checkpoints, records and tables alike."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from msarch.atomic_files import atomic_write


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


def write_curve(path: Path, curve: Sequence[Validation]) -> None:
    """A row for each validation, as CSV, in one piece. Raises OSError."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=[item.name for item in fields(Validation)])
        writer.writeheader()
        writer.writerows(map(asdict, curve))
