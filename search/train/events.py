"""TensorBoard: the course of a training as event files in the model's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msarch.training.schedule import learning_rate
from msarch.training.trainer import Trainer
from msarch.training.validation import Validation
from search.run.event_files import EVENTS, EventFile, require_tensorboard


class EventFiles:
    """An observer that writes `FOLDER/tensorboard`; points that a killed run wrote beyond its checkpoint are purged.

    Raises UserError where tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require_tensorboard()
        self._folder = folder / EVENTS
        self._file: EventFile | None = None
        self._loss: float | None = None

    def message(self, text: str) -> None:
        """Not a figure."""

    def began(self, trainer: Trainer, begun_from: str) -> None:
        """Open a file; what was written of later steps is hidden."""
        self._file = EventFile(self._folder, trainer.step + 1)
        for point in trainer.curve:  # once more: of the latest the killed run may have written nothing
            self._file.add_validation(point)

    def stepped(self, trainer: Trainer) -> None:
        """The training loss, whenever it was read from the device."""
        if trainer.training_loss is None or trainer.training_loss == self._loss:
            return
        self._loss = trainer.training_loss
        rate = learning_rate(trainer.candidate.training, trainer.step - 1, trainer.steps)
        figures = {"training/loss": self._loss, "training/learning_rate": rate}
        self._add(trainer.step, figures | {"tokens": trainer.step * trainer.tokens_per_step})

    def validated(self, trainer: Trainer, point: Validation) -> None:
        """Loss, perplexity and bits per byte; the losses of the last steps were read too."""
        self.stepped(trainer)
        assert self._file is not None, "`began` opens it"
        self._file.add_validation(point)

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None:
            self._file.close()

    def _add(self, step: int, figures: Mapping[str, float]) -> None:
        assert self._file is not None, "`began` opens it"
        self._file.add(step, figures)
