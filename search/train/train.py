"""Trains one model in its folder, with checkpoints; after a kill the same call continues, on a CPU to the bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msarch.config.candidate import Candidate
from msarch.errors import UserError, shortened
from msarch.training.compiling import is_from_compiler
from msarch.training.file_names import BEFORE_DECAY, FILE
from msarch.training.trainer import Trainer
from msarch.training.validation import Validation, write_curve
from msarch.units import format_rate
from search.ledger.folder import locked
from search.results.reproduce import test_figures
from search.results.training_errors import loss_in_one_line, memory_in_one_line
from search.run.interrupts import on_interrupt
from search.train.folder import (
    BUSY,
    Settings,
    check_same,
    chosen_candidate,
    earlier_record,
    with_recorded_corpus,
    write_origin,
)
from search.train.record import METRICS, WEIGHTS, ModelRecord
from search.train.start import REMOVE_IT, Start, check_origin

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet

CHECKPOINT_SECONDS = 300.0
"""Between two checkpoints; there is one at every rung too."""


class Observer(Protocol):
    """Follows a training. Nothing that it does changes a bit of it."""

    def message(self, text: str) -> None:
        """What its user should know, such as that a checkpoint is lost."""

    def began(self, trainer: Trainer, begun_from: str) -> None:
        """The first update comes next; `begun_from` says what is continued, empty for the beginning."""

    def stepped(self, trainer: Trainer) -> None:
        """An update was made."""

    def validated(self, trainer: Trainer, point: Validation) -> None:
        """A rung was reached."""


def train_model(
    start: Start,
    folder: Path,
    tokens: TokenSet,
    settings: Settings,
    observers: Sequence[Observer] = (),
    *,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> ModelRecord:
    """Train to the end, and return the record; where that was done before, nothing is trained.

    Args:
        start: what is trained; its corpus with the content of `tokens`.
        folder: of the model; new, or of this very training.
        settings: of a training that is continued, only `compiled` counts: it keeps its threads.
        checkpoint_seconds: between two checkpoints.

    Raises:
        UserError: the folder holds something else or is in use, or the loss or the memory ran away.
        KeyboardInterrupt: Ctrl-C; a checkpoint was written, and the same call continues.
    """
    with locked(folder, BUSY):
        earlier = earlier_record(folder)
        if earlier is not None:
            start = with_recorded_corpus(folder, start)
        candidate = chosen_candidate(start, earlier)
        if earlier is None:
            check_origin(start)
            record = _first_record(candidate, tokens, settings)
            write_origin(folder, candidate, tokens, record)
        else:
            check_same(folder, earlier, candidate, settings.compiled)
            record = earlier
        if record.state == "complete" and (folder / WEIGHTS).is_file():
            (folder / FILE).unlink(missing_ok=True)
            return record
        settings = replace(settings, threads=record.threads)
        return _Training(start, candidate, folder, tokens, settings, observers, record, checkpoint_seconds).run()


def _first_record(candidate: Candidate, tokens: TokenSet, settings: Settings) -> ModelRecord:
    from msarch.memory.candidate_profile import profile_candidate

    return ModelRecord(
        candidate=candidate.digest(),
        device=settings.device,
        threads=settings.threads,
        compiled=settings.compiled,
        profile=profile_candidate(candidate),
        validated=tokens.targets_in("validation", candidate.training.targets()),
    )


class _Training:
    def __init__(
        self,
        start: Start,
        candidate: Candidate,
        folder: Path,
        tokens: TokenSet,
        settings: Settings,
        observers: Sequence[Observer],
        record: ModelRecord,
        checkpoint_seconds: float,
    ) -> None:
        self._start, self._candidate, self._folder = start, candidate, folder
        self._tokens, self._settings, self._observers = tokens, settings, observers
        self._record, self._seconds = record, checkpoint_seconds
        self._saved = time.monotonic()
        self._stopping = False

    def run(self) -> ModelRecord:
        """Train to the end. Raises UserError and KeyboardInterrupt."""
        with on_interrupt(self._stop), _in_one_line(self._candidate, self._record):
            trainer = self._build()
            self._restore(trainer)
            if tuple(trainer.curve) != self._record.curve:  # stopped between a checkpoint and its record
                self._write_curve(trainer)
            self._tell(lambda observer: observer.began(trainer, self._record.begun_from))
            while not trainer.finished:
                self._advance(trainer)
            trainer.save_weights(self._folder / WEIGHTS)
            self._write(replace(self._record, test=test_figures(trainer), state="complete"))
        (self._folder / FILE).unlink(missing_ok=True)
        return self._record

    def _stop(self) -> None:
        """After the step that is being taken, with a checkpoint."""
        self._stopping = True

    def _build(self) -> Trainer:
        settings = self._settings
        return Trainer(
            self._candidate,
            self._tokens,
            device=settings.device,
            threads=settings.threads,
            compiled=settings.compiled,
        )

    def _restore(self, trainer: Trainer) -> None:
        """Continue this training, or else begin from another's checkpoint where that was the choice."""
        if trainer.restore(self._folder):
            return
        lost = trainer.passed_over or (f"{self._folder / FILE} is gone" if self._has_begun else "")
        origin = self._origin(trainer)
        if origin:
            trainer.save(self._folder)  # the original may be gone tomorrow
        again = replace(self._record, state="training", begun_from=origin, begun_at=trainer.step, test=None)
        self._write(again)
        if lost:
            beginning = f"trains again on from {origin}" if origin else "trains from the beginning"
            self._tell(lambda observer: observer.message(f"{lost}; {beginning}"))

    @property
    def _has_begun(self) -> bool:
        """Whether there was a checkpoint, by the record."""
        return bool(self._record.curve or self._record.begun_from)

    def _origin(self, trainer: Trainer) -> str:
        """Take up the checkpoint of another training, where that was the choice, and name it; else empty."""
        origin = self._start.origin
        if origin is None or self._candidate != self._start.continued:
            return ""
        if trainer.restore(origin.folder, BEFORE_DECAY):
            return origin.name
        if trainer.passed_over:
            raise UserError(f"{trainer.passed_over}; {REMOVE_IT}")
        return ""

    def _advance(self, trainer: Trainer) -> None:
        point = trainer.advance(lambda: self._after_step(trainer))
        trainer.save(self._folder)
        self._saved = time.monotonic()
        self._write_curve(trainer)
        self._tell(lambda observer: observer.validated(trainer, point))

    def _after_step(self, trainer: Trainer) -> None:
        self._tell(lambda observer: observer.stepped(trainer))
        if trainer.decays_next:
            trainer.save(self._folder, BEFORE_DECAY)
        if self._stopping or time.monotonic() - self._saved >= self._seconds:
            trainer.save(self._folder)
            self._saved = time.monotonic()
        if self._stopping:
            raise KeyboardInterrupt

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            event(observer)

    def _write_curve(self, trainer: Trainer) -> None:
        write_curve(self._folder / METRICS, trainer.curve)
        self._write(replace(self._record, curve=tuple(trainer.curve)))

    def _write(self, record: ModelRecord) -> None:
        self._record = record
        record.write(self._folder)


@contextmanager
def _in_one_line(candidate: Candidate, record: ModelRecord) -> Iterator[None]:
    """What may go wrong with a healthy program, as one line that says what to do."""
    rate = format_rate(candidate.training.learning_rate / 10)
    lower = f"train with a lower rate in another folder: --set training.learning_rate={rate}"
    less = "use another folder and --set training.checkpointing=block, or a smaller training.batch_size"
    with (
        _compiler_in_one_line(record.compiled),
        loss_in_one_line(lower),
        memory_in_one_line(record.profile["memory_bytes"], less),
    ):
        yield


@contextmanager
def _compiler_in_one_line(compiled: bool) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not compiled or not is_from_compiler(error):
            raise
        raise UserError(
            f"torch.compile failed ({shortened(str(error))}); use another folder and leave out --compile"
        ) from error
