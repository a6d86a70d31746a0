"""A search as TensorBoard's event files: a run for each trial, with its validations, its options and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msarch.training.validation import Validation
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.tables import option_values
from search.run.event_files import EVENTS, EventFile, require_tensorboard
from search.run.watcher import Silent

_FIGURES = ("perplexity", "bits_per_byte", "memory_bytes", "parameters")


class EventWatcher(Silent):
    """Writes RESULTS/tensorboard while the search runs. Raises UserError where tensorboardX is not installed.

    Args:
        folder: of the results.
    """

    def __init__(self, folder: Path) -> None:
        require_tensorboard()
        self._folder = folder / EVENTS
        self._open: dict[int, EventFile] = {}

    def begin(self, records: Sequence[TrialRecord]) -> None:
        """Write trials that have no event file yet, as in a search that was begun without any."""
        for record in records:
            if record.curve and record.state != "duplicate" and not self._run(record.number).exists():
                self._write(record)

    def validated(self, number: int, point: Validation) -> None:
        """A point of the trial's curves."""
        self._file(number, point.step).add_validation(point)

    def paused(self, record: TrialRecord) -> None:
        """Close its file; when it is resumed, another one follows."""
        self._close(record.number)

    def finished(self, record: TrialRecord) -> None:
        """The options and the outcome of a trained trial."""
        if not record.curve or record.state == "duplicate":
            return
        if self._run(record.number).exists():
            self._add_outcome(record)
            self._close(record.number)
        else:
            self._write(record)

    def close(self) -> None:
        """Write what is left of trials that were interrupted."""
        for number in list(self._open):
            self._close(number)

    def _run(self, number: int) -> Path:
        return self._folder / f"{number:04d}"

    def _file(self, number: int, begin: int) -> EventFile:
        if number not in self._open:
            self._open[number] = EventFile(self._run(number), begin)
        return self._open[number]

    def _close(self, number: int) -> None:
        if number in self._open:
            self._open.pop(number).close()

    def _write(self, record: TrialRecord) -> None:
        for point in record.curve:
            self.validated(record.number, point)
        if record.state in ("complete", "pruned"):
            self._add_outcome(record)
        self._close(record.number)

    def _add_outcome(self, record: TrialRecord) -> None:
        step = record.curve[-1].step
        chosen = option_values(record.candidate.model) | option_values(record.candidate.training)
        options = {name: value for name, value in chosen.items() if isinstance(value, bool | str | int | float)}
        figures = {f"outcome/{name}": value for name in _FIGURES if (value := metric(record, name)) is not None}
        self._file(record.number, step + 1).add_outcome(step, options, figures)
