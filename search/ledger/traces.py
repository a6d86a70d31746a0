"""What a folder's other files show of a search: trials that its journal must hold too.

A trial gets its folder, and its row in trials.csv, after its lines in the journal. So these files may lag behind the
journal, as when a search is killed, and are never ahead of it. Where they are, the journal has lost its end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msarch.errors import UserError
from msarch.paths import read_regular
from search.ledger.attributes import OUTCOME
from search.ledger.line_sums import LARGEST
from search.ledger.notes import list_trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


DIGITS = 9
"""Of a trial's number; Python refuses to read one of thousands."""


@dataclass(frozen=True, slots=True)
class Traces:
    """Numbers of trials.

    Attributes:
        proposed: they have a folder or a row.
        ended: their row says how they ended.
    """

    proposed: frozenset[int]
    ended: frozenset[int]

    def lost(self, trials: Iterable[FrozenTrial]) -> str:
        """What a journal that holds only `trials` has lost, in words; empty where nothing is seen to be missing."""
        held = {trial.number: trial.state.is_finished() or OUTCOME in trial.user_attrs for trial in trials}
        lost = {*(self.proposed - held.keys()), *(number for number in self.ended if not held.get(number))}
        if not lost:
            return ""
        what = "the end of it is missing" if held else "it holds no trials"
        return f"{what}: other files in the folder show {list_trials(lost)}"


def find_traces(folder: Path) -> Traces:
    """The traces of a results folder. Read them before the journal: a search may be writing both."""
    rows = dict(_rows(folder / "trials.csv"))
    folders = {int(path.name) for path in folder.glob("trials/*") if path.name.isdecimal() and path.is_dir()}
    ended = (number for number, state in rows.items() if state not in ("", "running"))
    return Traces(frozenset(folders | rows.keys()), frozenset(ended))


def _rows(table: Path) -> Iterator[tuple[int, str]]:
    """Number and state in each row that can be read: a damaged table shows less, and the journal counts.

    A paused trial counts as running here: it has not ended.
    """
    try:
        text = read_regular(table, most=LARGEST).decode(errors="replace")
    except (FileNotFoundError, UserError):
        return
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            number = row.get("trial") or ""
            # a row that was cut lacks its last cells
            if number.isdecimal() and len(number) <= DIGITS and None not in row.values():
                yield int(number), "running" if row.get("paused") == "True" else row.get("state") or ""
    except csv.Error:  # a cell longer than any that a search writes
        return
