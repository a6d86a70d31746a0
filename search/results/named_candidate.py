"""Which model a command is about: a file or folder of one model, or a trial of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msarch.config.candidate import Candidate
from msarch.errors import UserError, quoted
from msarch.paths import exists, is_file, is_folder
from search.ledger.folder import CONFIG, JOURNAL
from search.ledger.records import TrialRecord
from search.results.results import load_results
from search.space.config_file import read_config


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedCandidate:
    """A candidate and what people call it.

    Attributes:
        record: of a trial; None for a file.
        results: the folder of that trial's search.
        notes: what to know of how far the results that it is from can be relied on.
    """

    name: str
    candidate: Candidate
    record: TrialRecord | None = None
    results: Path | None = None
    notes: tuple[str, ...] = ()


def find_candidate(source: str, trial: str | None = None, overrides: Sequence[str] = ()) -> NamedCandidate:
    """What CONFIG.yaml, its folder, RESULTS or RESULTS:TRIAL names; `trial` is best (the default), knee or a number.

    The trial need not be complete: the memory of any one can be profiled. `overrides` are applied to a file, not to
    a trial of RESULTS, whose record stays as it is. Raises UserError.
    """
    path = Path(source)
    folder, separator, inside = source.rpartition(":")
    if separator and not exists(path):
        if trial is not None:
            raise UserError(f"names a trial twice: {quoted(source)} and --trial {trial}; leave one out", key="--trial")
        path, trial = Path(folder), inside
    of_one_model = is_folder(path) and is_file(path / CONFIG) and not is_file(path / JOURNAL)
    if is_folder(path) and not of_one_model:
        return _trial(path, trial or "best")
    if not of_one_model and path.suffix not in (".yaml", ".yml") and not is_file(path):
        raise UserError(f"there is no {path}: give the YAML file of one model, or a results folder")
    if trial is not None:
        raise UserError(f"{path} is one model, not a results folder; leave out --trial", key="--trial")
    if of_one_model:
        return NamedCandidate(name=str(path), candidate=read_config(path / CONFIG, overrides))
    return NamedCandidate(name=path.name, candidate=read_config(path, overrides))


def _trial(folder: Path, which: str) -> NamedCandidate:
    results = load_results(folder)
    text = which.strip().lstrip("#")
    numbered = {str(record.number): record for record in results.records}
    record: TrialRecord = numbered[text] if text in numbered else results.trial(which)
    return NamedCandidate(
        name=f"{folder} trial {record.number}",
        candidate=record.candidate,
        record=record,
        results=folder,
        notes=results.notes,
    )
