"""The folder of one trained model: which files are in it, and the record of how it was trained.

It holds ``config.yaml``, ``tokenizer.json``, ``environment.json``, ``record.json``, ``metrics.csv`` and, once the
training has ended, ``model.safetensors``: everything that is needed to generate text or to export the model.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from msarch.atomic_files import atomic_write
from msarch.errors import UserError
from msarch.paths import is_file, read_regular
from msarch.training.validation import Validation
from search.ledger.folder import CONFIG

RECORD, TOKENIZER = "record.json", "tokenizer.json"
WEIGHTS, METRICS = "model.safetensors", "metrics.csv"

_LARGEST = 2**24


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRecord:
    """How a model was trained.

    Attributes:
        candidate: the digest of what is trained.
        state: "complete" once its weights are there.
        device, threads, compiled: on what it is trained: "cpu" or "cuda", CPU threads, whether through torch.compile.
        begun_from: what it was trained on from, empty for the beginning; `begun_at` is the step there.
        profile: figures known before training, as in a trial's record.
        curve: its validations.
        validated: target tokens of each validation, fewer than was asked for where the split holds no more; None in a
            record of an earlier version.
        test: loss in nats and bits per byte on the whole test split; None before the end or where there is none.
    """

    candidate: str
    state: Literal["training", "complete"] = "training"
    device: str
    threads: int
    compiled: bool
    begun_from: str = ""
    begun_at: int = 0
    profile: dict[str, Any] = field(default_factory=dict)
    curve: tuple[Validation, ...] = ()
    validated: int | None = None
    test: tuple[float, float] | None = None

    def write(self, folder: Path) -> None:
        """Write it into its folder, in one piece. Raises OSError."""
        with atomic_write(folder / RECORD) as path:
            path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def is_model_folder(folder: Path) -> bool:
    """Whether a model was, or is being, trained in this folder."""
    return is_file(folder / RECORD) and is_file(folder / CONFIG)


def read_record(folder: Path) -> ModelRecord:
    """The record of a trained model. Raises UserError where it is damaged."""
    path = folder / RECORD
    try:
        values = json.loads(read_regular(path, most=_LARGEST))
        curve = tuple(Validation(**point) for point in values.pop("curve"))
        test = values.pop("test")
        return ModelRecord(**values, curve=curve, test=None if test is None else (float(test[0]), float(test[1])))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError("is damaged; train the model again in another folder", file=str(path)) from None
