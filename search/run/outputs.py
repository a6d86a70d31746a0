"""The files of a results folder that are made from the ledger: space, tokenizer, tables, report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.atomic_files import atomic_write
from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.results.environment import read_environment
from search.results.results import Results
from search.run.environment import describe_environment, write_environment
from search.run.watcher import Watcher
from search.space.space import Space
from search.space.writer import space_yaml

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet
    from search.results.table_files import TableFiles

TABLES_SECONDS = 5.0
"""Between two writings of the tables while trials run."""


class Outputs:
    """Writes a results folder's files; a watcher that forwards every event to another one.

    Args:
        folder: of the results.
        watcher: gets every event.

    Attributes:
        space: that is searched.
        records: gives all records so far.
    """

    def __init__(self, space: Space, folder: Path, watcher: Watcher) -> None:
        self.space, self._folder, self._watcher = space, folder, watcher
        self._written = 0.0
        self._tables: TableFiles | None = None
        self.records: Callable[[], list[TrialRecord]] = list

    def write_origin(self, tokens: TokenSet) -> None:
        """What the search starts from: space.yaml, tokenizer.json, environment.json."""
        with atomic_write(self._folder / "space.yaml") as path:
            path.write_text(space_yaml(self.space), encoding="utf-8")
        with atomic_write(self._folder / "tokenizer.json") as path:
            shutil.copyfile(tokens.folder / "tokenizer.json", path)
        write_environment(self._folder, describe_environment(tokens))

    def write_tables(self) -> None:
        """trials.csv, curves.csv and pareto.csv."""
        from search.results.table_files import TableFiles

        self._tables = self._tables or TableFiles(self._folder, self.space.objectives)
        self._tables.write(self.records())
        self._written = time.monotonic()

    def write_report(self) -> None:
        """report.html."""
        from search.show.report.report import write_report

        write_report(
            self._folder / "report.html",
            self.records(),
            title=self.space.name,
            objectives=self.space.objectives,
            limits=self.space.limits,
            environment=read_environment(self._folder),
            results=str(self._folder),
            confirmed=Results(self._folder, self.records(), self.space.objectives).confirmation,
        )

    def phase(self, text: str) -> None:
        """Forward to the watcher."""
        self._watcher.phase(text)

    def started(self, number: int, candidate: Candidate, profile: dict[str, Any]) -> None:
        """Forward to the watcher."""
        self._watcher.started(number, candidate, profile)

    def training(self, number: int) -> None:
        """Forward to the watcher."""
        self._watcher.training(number)

    def validated(self, number: int, point: Validation) -> None:
        """Forward to the watcher."""
        self._watcher.validated(number, point)

    def paused(self, record: TrialRecord) -> None:
        """Forward to the watcher."""
        self._watcher.paused(record)

    def finished(self, record: TrialRecord) -> None:
        """Forward to the watcher; also write the tables, at most every `TABLES_SECONDS`."""
        self._watcher.finished(record)
        if record.seconds and time.monotonic() - self._written > TABLES_SECONDS:
            self.write_tables()

    def message(self, text: str) -> None:
        """Forward to the watcher."""
        self._watcher.message(text)
