"""Reads a results folder. Nothing in it is changed, so a copy or a read-only folder works too."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msarch.errors import UserError, quoted, unknown
from msarch.paths import is_file, is_folder
from msarch.units import format_bytes
from search.ledger.folder import trial_folder
from search.ledger.reading import read_ledger
from search.ledger.records import TrialRecord
from search.results.environment import read_environment
from search.results.front import pareto_front, reference_point, select, split, within

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from search.results.confirm.confirmation import Confirmation

Bundle = Literal["inside", "beside"]
"""Where the code of Plotly stands: in a report (4.8 MB), or in a file beside it, which several reports can share."""
BUNDLES: tuple[Bundle, ...] = ("inside", "beside")

MOST_NAMED = 20
"""Results folders that an error names."""


@dataclass(frozen=True, repr=False)
class Results:
    """One search. In a notebook it shows itself as the front's table and picture.

    Attributes:
        folder: of the results.
        records: every trial, by number.
        objectives: what the search minimises.
        conditions: those of memory and other costs, if other than trained; see `what_if`.
        notes: what limits how far the records can be trusted, such as damaged trials that were left out.
        max_memory: in bytes, where only what fits was kept; see `within`.
    """

    folder: Path
    records: list[TrialRecord]
    objectives: tuple[str, ...]
    conditions: str = ""
    notes: tuple[str, ...] = ()
    max_memory: int | None = None

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

    def within(self, max_memory: int | None) -> Results:
        """Results of the trials alone that need at most `max_memory` bytes; of all where it is None."""
        if max_memory is None:
            return self
        return replace(self, records=within(self.records, max_memory), max_memory=max_memory)

    @property
    def title(self) -> str:
        """What stands above a report or a picture: the folder's name, and the limit where there is one."""
        name = self.folder.resolve().name
        return name if self.max_memory is None else f"{name}, at most {format_bytes(self.max_memory)}"

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
        return read_environment(self.folder)

    @cached_property
    def limits(self) -> dict[str, int]:
        """The limits of the recorded space; none where space.yaml is missing. Raises UserError where damaged.

        None under other conditions: limits hold for the conditions of training.
        """
        if self.conditions:
            return {}
        from search.space.load import load_space

        path = self.folder / "space.yaml"
        return load_space(path).limits if is_file(path) else {}

    @cached_property
    def confirmation(self) -> Confirmation | None:
        """How sure the front is; None where `msarch confirm` has not trained it again.

        Raises UserError where a run is damaged.
        """
        from search.results.confirm.runs import read_runs

        if self.conditions or not (runs := read_runs(self.folder)):
            return None
        from search.results.confirm.confirmation import confirmation

        return confirmation(self.records, self.objectives, runs)

    def plot_pareto(self, cost: str = "") -> go.Figure:
        """Every trial's quality against a cost, as a Plotly figure.

        `cost` is the name of an objective, such as "cache" or "flops_per_token"; the first that was searched for where
        it is empty. Raises UserError for another.
        """
        from search.show.report.figures import trade_off_figure
        from search.space.objectives import OBJECTIVES

        quality, first = split(self.objectives)
        costs = [name for name, objective in OBJECTIVES.items() if not objective.quality]
        if cost and cost not in costs:
            raise UserError(unknown("cost", cost, costs))
        spreads = self.confirmation.spreads if self.confirmation else {}
        plane = (quality, cost or first)
        return trade_off_figure(self.records, *plane, self.objectives, self.limits, self.conditions, spreads=spreads)

    def plot_curves(self) -> go.Figure:
        """Validation loss of each trial against training tokens, as a Plotly figure."""
        from search.show.report.curves import curves_figure

        return curves_figure(self.records, self.objectives)

    def plot_hypervolume(self) -> go.Figure:
        """Hypervolume of the front so far against the training tokens that were spent, as a Plotly figure."""
        from search.show.report.search_figures import growth_figure

        reference = reference_point(self.records, self.objectives, self.limits)
        return growth_figure(self.records, self.objectives, reference)

    def plot_architecture(self, trial: str | int = "best") -> go.Figure:
        """A trial's model, drawn, as a Plotly figure; any trial, complete or not. Raises UserError."""
        from search.show.drawing.figure import architecture_figure

        record = next((each for each in self.records if each.number == trial), None) or self.trial(trial)
        return architecture_figure(record.candidate.model)

    def __repr__(self) -> str:
        states = Counter(record.shown_state for record in self.records)
        counts = ", ".join(f"{count} {state}" for state, count in states.items()) or "no trial yet"
        return f"<Results of {self.folder}: {counts}; {len(self.front)} on the front>"

    def _repr_html_(self) -> str:
        """The front as a small table and a picture, for notebooks."""
        from search.show.notebook import results_html

        return results_html(self)

    def write_report(self, path: str | Path, bundle: Bundle = "inside") -> None:
        """One page with everything, readable without a network; the code of Plotly in it, or in a file beside it."""
        from search.show.report.report import write_report

        write_report(
            Path(path),
            self.records,
            title=self.title,
            objectives=self.objectives,
            limits=self.limits,
            environment=self.environment,
            results=str(self.folder),
            conditions=self.conditions,
            bundle=bundle,
            confirmed=self.confirmation,
        )

    def write_plot(self, path: str | Path) -> None:
        """The front as a picture, .png or .svg."""
        from search.show.plots import write_plot

        write_plot(Path(path), self.records, self.objectives, self.limits, self.title, self.conditions)


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
    if is_file(path):
        raise UserError(f"{path} is a file, not a results folder{_others(path)}")
    if not is_folder(path):
        raise UserError(f"there is no results folder {path}{_others(path)}")
    return path


def _others(path: Path) -> str:
    if not is_folder(path.parent):
        return ""
    found = sorted(str(journal.parent) for journal in path.parent.glob("*/study.journal"))
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"; there are: {', '.join(found[:MOST_NAMED])}{more}" if found else ""
