"""Trainings with further seeds, a file each in RESULTS/confirm.

They are not in the ledger: its trials are proposals of the search, which count towards its budget and from which its
sampler learns. A file appears whole or not at all, so the same command resumes after a kill.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from msarch.atomic_files import atomic_write
from msarch.errors import UserError
from msarch.paths import read_regular

CONFIRM = "confirm"
_LARGEST = 2**16


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A trial's model, trained with another seed.

    Attributes:
        trial: its number.
        seed: of the weights at the start and of the order of the data.
        candidate: the digest of what was trained, its seed included.
        split: on which it was judged: test, or validation where the corpus has no test split.
        loss: in nats per token; None where training failed.
        bits_per_byte: the same, per byte.
        error: why it failed.
    """

    trial: int
    seed: int
    candidate: str
    split: str
    loss: float | None
    bits_per_byte: float | None
    error: str = ""

    def level(self, quality: str) -> float | None:
        """What is compared: the loss for perplexity."""
        return self.loss if quality == "perplexity" else self.bits_per_byte


def confirm_folder(folder: Path) -> Path:
    """Where the runs of a results folder are."""
    return folder / CONFIRM


def run_file(folder: Path, trial: int, seed: int) -> Path:
    """``confirm/trial-0007-seed-3.json``."""
    return confirm_folder(folder) / f"trial-{trial:04d}-seed-{seed}.json"


def run_files(folder: Path) -> list[Path]:
    """The files of all runs of a results folder, by name."""
    return sorted(confirm_folder(folder).glob("trial-*-seed-*.json"))


def write_run(folder: Path, run: Run) -> None:
    """Record a run. Raises OSError."""
    values = asdict(run)
    with atomic_write(run_file(folder, run.trial, run.seed)) as temporary:
        temporary.write_text(json.dumps(values | {"check": _check(values)}) + "\n", encoding="utf-8")


def read_runs(folder: Path) -> list[Run]:
    """Every run of a results folder, by trial and seed; none where it was never confirmed. Raises UserError."""
    found = [_read(path) for path in run_files(folder)]
    return sorted(found, key=lambda run: (run.trial, run.seed))


def _read(path: Path) -> Run:
    damaged = UserError("is damaged; delete it, and 'msarch confirm' trains it again", file=str(path))
    try:
        values = json.loads(read_regular(path, most=_LARGEST))
        check = values.pop("check")
        if check != _check(values):
            raise damaged
        run = Run(**values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise damaged from None
    if run.loss is not None and not math.isfinite(run.loss):
        raise damaged
    return run


def _check(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
