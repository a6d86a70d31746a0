"""A model that has been trained, wherever it is: a trial of a search, or the folder of `msarch train`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msarch.config.candidate import Candidate
from msarch.data.tokenizer import load_tokenizer
from msarch.errors import UserError
from msarch.paths import is_file, is_folder
from msarch.training.validation import Validation
from search.ledger.folder import CONFIG, JOURNAL, trial_folder
from search.ledger.records import TrialRecord
from search.results.environment import read_environment
from search.results.reproduce import open_corpus
from search.results.results import Results, load_results
from search.space.config_file import read_config
from search.train.record import TOKENIZER, WEIGHTS, is_model_folder, read_record

EXPORTED = "config.json"
"""What transformers reads first, in the folder of `msarch export`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedModel:
    """A model with its weights.

    Attributes:
        name: as people call it.
        source: a folder name for it.
        candidate: what was trained.
        profile: figures known before training.
        curve: its validations.
        validated: target tokens of each validation; None where that was not recorded.
        test: loss in nats and bits per byte on the test split; None where that was not read.
        environment: what it was trained on.
        weights, tokenizer: files.
        commands: with which it is trained again.
        notes: how far the record can be relied on.
    """

    name: str
    source: str
    candidate: Candidate
    profile: dict[str, Any]
    curve: tuple[Validation, ...]
    validated: int | None
    test: tuple[float, float] | None
    environment: dict[str, Any]
    weights: Path
    tokenizer: Path
    commands: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_trained(source: str, trial: str | None = None) -> TrainedModel:
    """The model that RESULTS, RESULTS:TRIAL or a folder of `msarch train` holds; `trial` is best, knee or a number.

    Raises UserError where there is none, or it has no weights.
    """
    path = Path(source)
    if is_folder(path) and is_model_folder(path):
        if trial is not None:
            raise UserError(f"{path} is one model, not a results folder; leave out --trial", key="--trial")
        return _of_folder(path)
    folder, separator, inside = source.rpartition(":")
    if separator and not is_folder(path):
        if trial is not None:
            raise UserError(f"names a trial twice: '{source}' and --trial {trial}; leave one out", key="--trial")
        path, trial = Path(folder), inside
    _refuse_other_folders(path)
    results = load_results(path)
    return _of_trial(results, results.trial(trial or "best"))


def _refuse_other_folders(path: Path) -> None:
    """Folders that hold weights too. Raises UserError, with what to name instead."""
    results = path.parent.parent
    if path.name.isdecimal() and is_file(results / JOURNAL) and not is_file(path / JOURNAL):
        raise UserError(f"{path} is the folder of a trial: name it {results}:{int(path.name)}")
    if is_file(path / EXPORTED) and not is_file(path / JOURNAL):
        raise UserError(
            f"{path} was written by msarch export, for other programs: open it with transformers, or name the model "
            "that it was made from"
        )


def _of_folder(folder: Path) -> TrainedModel:
    record = read_record(folder)
    if record.state != "complete" or not is_file(folder / WEIGHTS):
        raise UserError(f"the training in {folder} has not ended; continue it with the msarch train that began it")
    return TrainedModel(
        name=str(folder),
        source=folder.resolve().name,
        candidate=read_config(folder / CONFIG),
        profile=record.profile,
        curve=record.curve,
        validated=record.validated,
        test=record.test,
        environment=read_environment(folder),
        weights=folder / WEIGHTS,
        tokenizer=folder / TOKENIZER,
        commands=(f"msarch train config.yaml --threads {record.threads}{' --compile' if record.compiled else ''}",),
    )


def _of_trial(results: Results, record: TrialRecord) -> TrainedModel:
    folder = trial_folder(results.folder, record.number if record.twin is None else record.twin)
    name = f"{results.folder} trial {record.number}"
    if not is_file(folder / WEIGHTS):
        command = shlex.join(["msarch", "train", str(results.folder), "--trial", str(record.number), "--threads", "1"])
        raise UserError(f"{name} has kept no weights; train it again with: {command}")
    return TrainedModel(
        name=name,
        source=f"{results.folder.resolve().name}-{record.number:04d}",
        candidate=record.candidate,
        profile=record.profile,
        curve=record.curve,
        validated=record.candidate.training.targets(),
        test=None,
        environment=results.environment,
        weights=folder / WEIGHTS,
        tokenizer=_tokenizer(results.folder, record.candidate),
        commands=("msarch train config.yaml --threads 1",),
        notes=results.notes,
    )


def _tokenizer(results: Path, candidate: Candidate) -> Path:
    """The search's tokenizer; where its vocabulary varied, that of the trial, from the encoded text."""
    path = results / TOKENIZER
    if is_file(path) and load_tokenizer(path).vocab_size == candidate.model.vocab_size:
        return path
    return open_corpus(candidate.corpus).folder / TOKENIZER
