"""Trains what a confirmation still lacks, one model after another; a run that was interrupted continues at its rung."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.ledger.records import TrialRecord
from search.results.confirm.plan import reseeded
from search.results.confirm.runs import Run, confirm_folder, read_runs, write_run
from search.results.reproduce import open_corpus, test_figures, train_again
from search.results.training_errors import OutOfMemoryError, memory_in_one_line

if TYPE_CHECKING:
    from msarch.training.trainer import Trainer

Task = tuple[TrialRecord, Candidate]
"""A trial, and its candidate with another seed."""


def tasks(folder: Path, trials: Sequence[TrialRecord], seeds: int) -> list[Task]:
    """What is not trained yet: seed by seed, so that an interruption leaves all models with as many."""
    done = {run.candidate for run in read_runs(folder)}
    wanted = [(record, reseeded(record.candidate, further)) for further in range(1, seeds + 1) for record in trials]
    return [(record, candidate) for record, candidate in wanted if candidate.digest() not in done]


def train_runs(
    folder: Path,
    chosen: Sequence[Task],
    device: str,
    placed: Callable[[Candidate], Candidate],
    watch: Callable[[int, Trainer], None],
    short: Callable[[int, UserError], None],
) -> Iterator[Run]:
    """Train and record each task, but for models that memory does not suffice for.

    Those depend on the machine, so they are not recorded as failed: the same call tries them again.

    Args:
        placed: gives a candidate with its corpus where it is now.
        watch: is called after each rung with the task's index and its trainer.
        short: is called where memory ran out, with the task's index and what was said; the model's further seeds
            are left out.

    Raises:
        UserError: the text is missing or is another one.
    """
    too_large: set[int] = set()
    for index, (record, candidate) in enumerate(chosen):
        if record.number in too_large:
            continue
        run = None
        try:
            with memory_in_one_line(record.profile["memory_bytes"], "the model is left out for now"):
                run = _train(folder, record.number, candidate, placed(candidate), device, partial(watch, index))
        except OutOfMemoryError as error:
            too_large.add(record.number)
            short(index, error)
        else:
            write_run(folder, run)
        shutil.rmtree(_checkpoint(folder), ignore_errors=True)
        gc.collect()  # the error held what was trained, and the next model needs that memory
        if run is not None:
            yield run


def _checkpoint(folder: Path) -> Path:
    return confirm_folder(folder) / "checkpoint"


def _train(
    folder: Path, trial: int, candidate: Candidate, here: Candidate, device: str, watch: Callable[[Trainer], None]
) -> Run:
    from msarch.training.trainer import NonFiniteLossError

    tokens = open_corpus(here.corpus)
    split = "test" if tokens.test is not None else "validation"
    run = partial(Run, trial=trial, seed=candidate.seed, candidate=candidate.digest(), split=split)
    trainer = None
    try:
        for trainer in train_again(here, tokens, device, checkpoint=_checkpoint(folder)):
            watch(trainer)
    except NonFiniteLossError as error:
        return run(loss=None, bits_per_byte=None, error=str(error))
    assert trainer is not None
    last = trainer.curve[-1]
    loss, bits = test_figures(trainer) or (last.loss, last.bits_per_byte)
    return run(loss=loss, bits_per_byte=bits)
