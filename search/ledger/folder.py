"""The ledger of a search: its folder, the lock on it, its journal, and the records in it.

The journal `study.journal` is an Optuna journal and the one truth; tables and reports are made from it. One
process writes at a time, holding a kernel lock on the folder that is freed when its owner dies. Reading takes
no lock and writes nothing, so that a copied or read-only folder is as good as the original.

What a record needs stands in its trial's attributes, in the order in which a trial lives: `candidate` closes
the proposal, `profile` follows, then `rung/0`, `rung/1` ..., at last `outcome`, after which the study is told.
A crash between any two of them is made good at the next opening.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.ledger.journal import repair
from search.ledger.records import CurvePoint, TrialRecord, TrialState

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

JOURNAL, LOCK = "study.journal", ".lock"
CANDIDATE, PROFILE, RUNG, TWIN, VIOLATION, OUTCOME = "candidate", "profile", "rung/", "twin", "violation", "outcome"
CONTINUE, PRUNE, CONTROL = "continue", "prune", "control"
"""What the pruner said at a rung."""


def trial_folder(folder: Path, number: int) -> Path:
    """Where a trial keeps its files: ``trials/0007``."""
    return folder / "trials" / f"{number:04d}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a results folder for one search.

    Raises:
        UserError: another search holds it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another search is running in {folder}; wait for it to end, or choose another folder with --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def open_journal(folder: Path) -> BaseStorage:
    """The folder's journal for writing, put right where a crash damaged it; only with the lock held."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    from search.ledger.studies import SEARCH

    journal = folder.resolve() / JOURNAL
    repair(journal, study=SEARCH, last_attr=CANDIDATE)
    return JournalStorage(JournalFileBackend(str(journal)))


def read_records(folder: Path) -> list[TrialRecord]:
    """Every trial of a results folder, by number; a search that runs meanwhile is left alone.

    Raises:
        UserError: the folder holds no search, or its journal is damaged.
    """
    study = _read_study(folder)
    return records_of(study) if study is not None else []


def read_objectives(folder: Path) -> tuple[str, ...]:
    """The names of what the search of a results folder minimises. Raises UserError as `read_records` does."""
    study = _read_study(folder)
    return tuple(study.metric_names or ()) if study is not None else ()


def _read_study(folder: Path) -> optuna.Study | None:
    """The search study; None where a search was killed before it had begun."""
    journal = folder.resolve() / JOURNAL
    if not journal.is_file():
        raise UserError(f"{folder} holds no search: there is no {JOURNAL} in it")
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    from search.ledger.studies import SEARCH, quiet_optuna

    with quiet_optuna():
        try:
            storage = JournalStorage(JournalFileBackend(str(journal)))
            known = {study.study_name for study in storage.get_all_studies()}
            return optuna.load_study(study_name=SEARCH, storage=storage) if SEARCH in known else None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"is no journal of a search, or damaged ({error}); restore it from a copy", file=str(journal)
            ) from None


def records_of(study: optuna.Study) -> list[TrialRecord]:
    """The records of a search study; trials that wait to be proposed have none."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if CANDIDATE in trial.user_attrs]
    records = [record_of(trial) for trial in trials]
    by_number = {record.number: record for record in records}
    return [_with_twin(record, by_number) for record in records]


def record_of(trial: FrozenTrial) -> TrialRecord:
    """The record that a trial's attributes hold; a duplicate's has not its twin's figures yet."""
    attributes = trial.user_attrs
    outcome: dict[str, Any] = attributes.get(OUTCOME, {})
    state: TrialState = outcome.get("state", "running")
    points = [attributes[key] for key in sorted(attributes, key=_rung_of) if key.startswith(RUNG)]
    curve = tuple(CurvePoint(**point["point"]) for point in points)
    spared = [point["point"]["rung"] for point in points if point["verdict"] == CONTROL]
    return TrialRecord(
        number=trial.number,
        state=state,
        candidate=Candidate.from_dict(attributes[CANDIDATE]),
        profile=attributes.get(PROFILE, {}),
        curve=curve,
        loss=curve[-1].loss if state == "complete" else None,
        bits_per_byte=curve[-1].bits_per_byte if state == "complete" else None,
        seconds=curve[-1].seconds if curve else 0.0,
        memory_measured_bytes=outcome.get("memory_measured_bytes"),
        violation=attributes.get(VIOLATION, ""),
        twin=attributes.get(TWIN),
        error=outcome.get("error", ""),
        control_rung=spared[0] if spared else None,
    )


def _with_twin(record: TrialRecord, records: dict[int, TrialRecord]) -> TrialRecord:
    if record.state != "duplicate" or record.twin is None:
        return record
    twin = records[record.twin]
    return replace(record, loss=twin.loss, bits_per_byte=twin.bits_per_byte)


def _rung_of(key: str) -> int:
    return int(key.removeprefix(RUNG)) if key.startswith(RUNG) else -1


def point_attribute(point: CurvePoint, verdict: str) -> tuple[str, dict[str, Any]]:
    """The attribute that holds a point of a curve and what the pruner said to it."""
    return f"{RUNG}{point.rung}", {"point": asdict(point), "verdict": verdict}
