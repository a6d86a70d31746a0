"""TensorBoard's event files, a folder for each model; tensorboardX writes them and comes with ray[tune]."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msarch.errors import UserError
from msarch.perplexity import perplexity
from msarch.training.validation import Validation

EVENTS = "tensorboard"
"""The folder, in that of a search or of a model."""
FLUSH_SECONDS = 10
"""After which points are on the disk."""


def require_tensorboard() -> None:
    """Raises UserError where tensorboardX is not installed: before anything is trained."""
    if find_spec("tensorboardX") is None:
        raise UserError("needs tensorboardX: pip install tensorboardX", key="--tensorboard")


class EventFile:
    """Figures of one model over its training steps.

    TensorBoard hides what an earlier file of the same folder holds of step `begin` and later: a run that was killed
    may have written beyond its checkpoint.
    """

    def __init__(self, folder: Path, begin: int) -> None:
        from tensorboardX import SummaryWriter

        # A file's name has the second in which it was made; the suffix tells it from one of the same second.
        suffix = f".{begin}"
        self._writer: Any = SummaryWriter(
            str(folder), purge_step=begin, filename_suffix=suffix, flush_secs=FLUSH_SECONDS
        )

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Points at a training step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def add_validation(self, point: Validation) -> None:
        """Loss, perplexity and bits per byte of a validation, and the tokens that were read until then."""
        figures = {"loss": point.loss, "perplexity": perplexity(point.loss), "bits_per_byte": point.bits_per_byte}
        self.add(
            point.step, {f"validation/{name}": value for name, value in figures.items()} | {"tokens": point.tokens}
        )

    def add_outcome(self, step: int, options: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """What was chosen (words and numbers) and what came of it, for the tab of hyperparameters."""
        from tensorboardX.summary import hparams

        for summary in hparams(dict(options), dict(figures)):
            self._writer.file_writer.add_summary(summary)
        self.add(step, figures)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
