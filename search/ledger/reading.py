"""A results folder's ledger, read: its records are right, or it is refused in one line that names what is damaged.

Reading takes no lock and writes nothing, so that a copied or read-only folder is as good as the original.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.errors import UserError
from search.ledger.attributes import CANDIDATE, with_twins
from search.ledger.checks import CHECK, DamagedTrialError, checked_record
from search.ledger.folder import JOURNAL
from search.ledger.journal import JournalLines, read_lines
from search.ledger.notes import left_out, uncheckable
from search.ledger.records import TrialRecord
from search.ledger.salvage import Salvage
from search.ledger.studies import SEARCH, quiet_optuna
from search.ledger.traces import Traces, find_traces

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

REMEDY = "restore the folder from a copy; 'msarch pareto --skip-damaged' shows the trials that are whole"
TRIES, PAUSE = 3, 0.1
"""How often, and after how many seconds, a journal that seems damaged is read again: a search may be writing it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerContents:
    """What a ledger holds.

    Attributes:
        records: every trial that has been proposed, by number; of a damaged ledger, those that are whole.
        objectives: names of what the search minimises.
        params: of each proposed trial, by number: what Optuna drew for it.
        study_attributes: of the search study, such as its space's identity.
        notes: what limits how far this can be trusted, a line each.
        sums_lost: whether the file of sums is gone that was written with these trials.
    """

    records: list[TrialRecord] = field(default_factory=list)
    objectives: tuple[str, ...] = ()
    params: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    study_attributes: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sums_lost: bool = False


def read_ledger(folder: Path, *, skip_damaged: bool = False) -> LedgerContents:
    """Everything that a results folder's journal holds; a search that runs meanwhile is left alone.

    Args:
        skip_damaged: leave damaged trials out, and say so in `notes`, instead of raising.

    Raises:
        UserError: the folder holds no search, or its journal is damaged.
    """
    path = folder.resolve() / JOURNAL
    if not path.is_file():
        raise UserError(f"{folder} holds no search: there is no {JOURNAL} in it")
    with damage_reported(path):
        traces = find_traces(path.parent)
        lines, notes = _read_patiently(path, skip_damaged)
        try:
            found = _read_whole(path, lines, traces, skip_damaged)
        except Exception:  # Optuna can fail in any way on lines that no search wrote
            if not skip_damaged:
                raise
            found = _read_salvaged(path, lines)
    return replace(found, notes=notes + found.notes)


def _read_whole(path: Path, lines: JournalLines, traces: Traces, skip_damaged: bool) -> LedgerContents:
    """The journal as Optuna replays it, once the checksums show that its lines are as written."""
    if lines.damaged:
        raise _damage(path, lines)
    study = replay(lines)
    trials = study.get_trials(deepcopy=False) if study else []
    objectives = tuple(study.metric_names or ()) if study else ()
    # sums that reach to the end say better whether it is whole
    lost = traces.lost(trials) if lines.unsummed > 1 or not trials else ""
    records, damaged = check_trials(trials, objectives)
    if damaged and not skip_damaged:
        number, what = next(iter(damaged.items()))
        raise UserError(f"trial {number} is damaged: {what}; {REMEDY}", file=str(path))
    if lost and not skip_damaged:
        raise UserError(f"is damaged: {lost}; {REMEDY}", file=str(path))
    return LedgerContents(
        records=records,
        objectives=objectives,
        params={trial.number: trial.params for trial in trials},
        study_attributes=study.user_attrs if study else {},
        notes=(*_describe_lost(path, lost), *left_out(damaged), *uncheckable(lines, trials)),
        sums_lost=not lines.summed and any(CHECK in trial.user_attrs for trial in trials),
    )


def _read_salvaged(path: Path, lines: JournalLines) -> LedgerContents:
    """The ended trials of a damaged journal, from its whole lines; other trials may have lost their end."""
    salvage = Salvage(lines)
    records, damaged = check_trials(salvage.trials, salvage.objectives)
    unended = (record.number for record in records if record.state == "running" or record.paused)
    open_ended = dict.fromkeys(unended, "its end, if it had one, is lost")
    return LedgerContents(
        records=[record for record in records if record.number not in open_ended],
        objectives=salvage.objectives,
        notes=(_describe_lines(path, lines), *left_out(damaged | open_ended)),
    )


def read_records(folder: Path) -> list[TrialRecord]:
    """Every trial of a results folder, by number. Raises UserError as `read_ledger` does."""
    return read_ledger(folder).records


def read_objectives(folder: Path) -> tuple[str, ...]:
    """The names of what the search of a results folder minimises. Raises UserError as `read_ledger` does."""
    return read_ledger(folder).objectives


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Report anything that goes wrong while a journal is read or opened in one line, with the file's name.

    A damaged file can make Optuna and our own reading fail in any way: KeyError, TypeError, AssertionError ...
    """
    try:
        yield
    except UserError as error:
        raise error.at(str(path)) from None
    except OSError:
        raise  # an error of the disk: whoever called knows what was being written
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise UserError(
            f"is damaged, or not the journal of a search ({type(error).__name__}: {text}); {REMEDY}", file=str(path)
        ) from None


def replay(lines: JournalLines) -> optuna.Study | None:
    """The search study of a journal, read only; None if a search was killed before its study was created."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import BaseJournalBackend

    operations = lines.operations()

    class ReadLines(BaseJournalBackend):
        """The lines that were checked, so that nothing else is read."""

        def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
            return operations[log_number_from:]

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            raise AssertionError("a journal that is read is not written")

    with quiet_optuna():
        storage = JournalStorage(ReadLines())
        known = {study.study_name for study in storage.get_all_studies()}
        return optuna.load_study(study_name=SEARCH, storage=storage) if SEARCH in known else None


def _read_patiently(path: Path, skip_damaged: bool) -> tuple[JournalLines, tuple[str, ...]]:
    """The lines of a journal; what seems damage is looked at again, since a search may be at work there."""
    for attempt in range(TRIES):
        time.sleep(PAUSE if attempt else 0)
        try:
            lines = read_lines(path)
        except UserError as error:  # of the file of sums
            if not skip_damaged:
                raise
            return read_lines(path, use_sums=False), (str(error),)
        if not lines.damaged:
            break
    return lines, ()


def check_trials(
    trials: Iterable[FrozenTrial], objectives: tuple[str, ...]
) -> tuple[list[TrialRecord], dict[int, str]]:
    """The records of trials that have been proposed, and what is wrong with those that are damaged."""
    records: dict[int, TrialRecord] = {}
    damaged: dict[int, str] = {}
    for trial in trials:
        if CANDIDATE not in trial.user_attrs:
            if trial.user_attrs:
                damaged[trial.number] = "its candidate is missing"
            continue
        try:
            record = checked_record(trial, objectives)
            if record.state == "duplicate" and record.twin not in records:
                raise DamagedTrialError(f"it is a duplicate of trial {record.twin}, which is damaged or missing")
        except DamagedTrialError as error:
            damaged[trial.number] = str(error)
        else:
            records[trial.number] = record
    return with_twins(records.values()), damaged


def _damage(path: Path, lines: JournalLines) -> UserError:
    return UserError(f"{_describe(lines)}; {REMEDY}", file=str(path), line=lines.altered[0] + 1 if lines.altered else 0)


def _describe(lines: JournalLines) -> str:
    """What is wrong with a journal's lines."""
    if not lines.altered:
        return f"is damaged: the end is missing, {lines.missing} of {len(lines.lines) + lines.missing} lines"
    number = _number_at(lines, lines.altered[0])
    return "is damaged" if number is None else f"is damaged, in what it holds of trial {number}"


def _number_at(lines: JournalLines, index: int) -> int | None:
    """The trial that a damaged line belongs to, as far as the line still says so and others confirm it."""
    try:
        operation = json.loads(lines.lines[index])
        return Salvage(lines).numbers.get(operation["trial_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _describe_lost(path: Path, lost: str) -> Iterator[str]:
    if lost:
        yield f"{path} is damaged: {lost}; only trials that it still holds are shown"


def _describe_lines(path: Path, lines: JournalLines) -> str:
    what = _describe(lines) if lines.damaged else "cannot be replayed"
    more = f" (line {lines.altered[0] + 1} and {len(lines.altered) - 1} more)" if lines.altered else ""
    return f"{path}: {what}{more}; only trials whose records are whole are shown"
