"""Reads a results folder. Nothing in it is changed, so a copy or a read-only folder works too."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.errors import UserError, quoted
from search.ledger.folder import trial_folder
from search.ledger.reading import read_ledger
from search.ledger.records import TrialRecord
from search.results.front import pareto_front, select

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Results:
    """One search.

    Attributes:
        folder: of the results.
        records: every trial, by number.
        objectives: what the search minimises.
        conditions: those of memory and other costs, if other than trained; see `what_if`.
        notes: what limits how far the records can be trusted, such as damaged trials that were left out.
    """

    folder: Path
    records: list[TrialRecord]
    objectives: tuple[str, ...]
    conditions: str = ""
    notes: tuple[str, ...] = ()

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial; columns, types and units as in `search.results.columns.COLUMNS`."""
        from search.results.tables import trials_frame

        return trials_frame(self.records)

    @property
    def curves(self) -> pd.DataFrame:
        """One row a validation."""
        from search.results.tables import curves_frame

        return curves_frame(self.records)

    @property
    def pareto(self) -> pd.DataFrame:
        """The rows of `trials` that stand on the front, the cheapest first."""
        from search.results.tables import pareto_frame

        return pareto_frame(self.records, self.objectives)

    @property
    def front(self) -> list[TrialRecord]:
        """The trials on the front, the cheapest first."""
        return pareto_front(self.records, self.objectives)

    def trial(self, which: str | int = "best", max_memory: int | None = None) -> TrialRecord:
        """The complete trial meant by "best", "knee" or a number, within `max_memory` bytes. Raises UserError."""
        try:
            return select(self.records, str(which), max_memory, self.objectives)
        except UserError as error:
            raise error.at(str(self.folder)) from None

    def what_if(self, **conditions: Any) -> Results:
        """The complete trials under other conditions (`search.results.conditions`): ``what_if(batch_size=64)``.

        Memory, cache and operations are of those conditions, perplexity is as trained. Each trial is profiled,
        which takes about a second; trials that cannot run so are left out. Raises UserError.
        """
        from search.results.conditions import Conditions
        from search.results.what_if import records_under

        wanted = Conditions(**conditions)
        return replace(self, records=records_under(self.records, wanted)[0], conditions=wanted.describe())

    def folder_of(self, record: TrialRecord) -> Path:
        """Where a trial's configuration, curve and weights stand."""
        return trial_folder(self.folder, record.number)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What the search ran on; empty where environment.json is missing. Raises UserError where it is damaged."""
        path = self.folder / "environment.json"
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"is damaged ({error}); restore it from a copy, or delete it", file=str(path)) from None
        if not isinstance(found, dict):
            raise UserError(
                "is damaged: it does not hold a mapping; restore it from a copy, or delete it", file=str(path)
            )
        return found

    @cached_property
    def limits(self) -> dict[str, int]:
        """The limits of the recorded space; none where space.yaml is missing. Raises UserError where damaged.

        None under other conditions: limits hold for the conditions of training.
        """
        if self.conditions:
            return {}
        from search.space.load import load_space

        path = self.folder / "space.yaml"
        return load_space(path).limits if path.is_file() else {}

    def write_report(self, path: str | Path) -> None:
        """One page with everything, readable without a network."""
        from search.show.report.report import write_report

        write_report(
            Path(path),
            self.records,
            title=self.folder.resolve().name,
            objectives=self.objectives,
            limits=self.limits,
            environment=self.environment,
            results=str(self.folder),
            conditions=self.conditions,
        )

    def write_plot(self, path: str | Path) -> None:
        """The front as a picture, .png or .svg."""
        from search.show.plots import write_plot

        title = self.folder.resolve().name
        write_plot(Path(path), self.records, self.objectives, self.limits, title, self.conditions)


def load_results(folder: str | Path, *, skip_damaged: bool = False) -> Results:
    """Read a results folder.

    Args:
        skip_damaged: leave damaged trials out, and say which in `Results.notes`, instead of raising.

    Raises:
        UserError: the folder holds no search, or its journal is damaged.
    """
    path = results_path(folder)
    found = read_ledger(path, skip_damaged=skip_damaged)
    return Results(path, found.records, found.objectives, notes=found.notes)


def results_path(folder: str | Path) -> Path:
    """The path of a results folder. Raises UserError where there is no folder of that name, with those that are."""
    if not isinstance(folder, str | os.PathLike):
        raise UserError(f"must be the path of a results folder, got {quoted(folder)}")
    path = Path(folder)
    if path.is_file():
        raise UserError(f"{path} is a file, not a results folder{_others(path)}")
    if not path.is_dir():
        raise UserError(f"there is no results folder {path}{_others(path)}")
    return path


def _others(path: Path) -> str:
    found = sorted(str(journal.parent) for journal in path.parent.glob("*/study.journal"))
    return f"; there are: {', '.join(found)}" if found else ""
