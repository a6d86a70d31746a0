"""TensorBoard: the course of a training as event files in the model's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msarch.errors import UserError
from msarch.perplexity import perplexity
from msarch.training.schedule import learning_rate
from msarch.training.trainer import Trainer
from msarch.training.validation import Validation

EVENTS = "tensorboard"
FLUSH_SECONDS = 10
"""After which points are on the disk."""


class EventFiles:
    """An observer that writes `FOLDER/tensorboard`; points that a killed run wrote beyond its checkpoint are purged.

    Raises UserError where tensorboardX is not installed; it comes with ray[tune].
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboardX  # noqa: F401  # so that its absence is known before anything is trained
        except ImportError:
            raise UserError("needs tensorboardX: pip install tensorboardX", key="--tensorboard") from None
        self._folder = folder / EVENTS
        self._writer: Any = None
        self._loss: float | None = None

    def began(self, trainer: Trainer, begun_from: str) -> None:
        """Open a file; what was written of later steps is hidden."""
        from tensorboardX import SummaryWriter

        # A file's name has the second in which it was made; the suffix tells a resumed run's from that before it.
        suffix = f".{trainer.step}"
        self._writer = SummaryWriter(
            str(self._folder), purge_step=trainer.step + 1, filename_suffix=suffix, flush_secs=FLUSH_SECONDS
        )
        for point in trainer.curve:  # once more: of the latest the killed run may have written nothing
            self._validation(trainer, point)

    def stepped(self, trainer: Trainer) -> None:
        """The training loss, whenever it was read from the device."""
        if trainer.training_loss == self._loss:
            return
        self._loss = trainer.training_loss
        rate = learning_rate(trainer.candidate.training, trainer.step - 1, trainer.steps)
        self._add(trainer.step, trainer, {"training/loss": self._loss, "training/learning_rate": rate})

    def validated(self, trainer: Trainer, point: Validation) -> None:
        """Loss, perplexity and bits per byte; the losses of the last steps were read too."""
        self.stepped(trainer)
        self._validation(trainer, point)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

    def _validation(self, trainer: Trainer, point: Validation) -> None:
        figures = {"loss": point.loss, "perplexity": perplexity(point.loss), "bits_per_byte": point.bits_per_byte}
        self._add(point.step, trainer, {f"validation/{name}": value for name, value in figures.items()})

    def _add(self, step: int, trainer: Trainer, values: dict[str, float | None]) -> None:
        for name, value in {**values, "tokens": step * trainer.tokens_per_step}.items():
            self._writer.add_scalar(name, value, step)
