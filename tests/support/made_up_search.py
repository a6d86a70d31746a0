"""A search over made-up losses, driven by a plain loop: no Ray, no training, a fraction of a second."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.run.coordinator import Coordinator
from search.run.open_search import open_recorded, open_search
from search.run.trials import Job
from search.run.watcher import Silent
from search.space.load import load_space
from search.space.schema.search import Keep
from search.space.space import Space

SPACE = """
corpus: {source: python-docs, tokenizer: bytes}
model:
  context: 32
  d_model: {min: 16, max: 64, step: 16}
  d_head: 16
  variant:
    vanilla: {layers: "1..6@1"}
    top_down: {layers: "1..4@4 1..3@1"}
training: {tokens: 20k, batch_size: 8, learning_rate: {min: 1e-3, max: 1e-1, log: true}}
limits: {memory: 20 MiB}
objectives: [perplexity, memory]
search: {sampler: tpe, pruner: pareto, trials: 24, seed: 0}
"""


class Tokens:
    vocab_size = 256
    token_bytes = np.ones(256, dtype=np.int64)
    validation = np.zeros(1_000, dtype=np.uint8)


def prepare(corpus: CorpusConfig) -> Any:
    return Tokens()


def profile(candidate: Candidate) -> dict[str, Any]:
    memory = candidate.model.n_layers * candidate.model.d_model * 80_000
    return {"memory_bytes": memory, "parameters": memory // 16}


def loss_of(candidate: Candidate, share: float) -> float:
    """Larger is better in the end and slower at first; a learning rate off 1e-2 costs."""
    size = candidate.model.n_layers * candidate.model.d_model / 64
    mistake = abs(math.log10(candidate.training.learning_rate) + 2)
    return 4 - 0.2 * math.log(size) + 0.6 * mistake + (1 - share) * (1 + 0.1 * size)


class Journalist(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.finals: list[TrialRecord] = []
        self.pauses: list[tuple[int, int]] = []  # number and rung

    def message(self, text: str) -> None:
        self.messages.append(text)

    def paused(self, record: TrialRecord) -> None:
        self.pauses.append((record.number, record.curve[-1].rung))

    def finished(self, record: TrialRecord) -> None:
        self.finals.append(record)


def space_in(folder: Path, *overrides: str) -> Space:
    path = folder / "space.yaml"
    path.write_text(SPACE)
    return load_space(path, overrides)


def open_in(
    space: Space, folder: Path, watcher: Silent | None = None, keep: Keep | None = None, **options: Any
) -> Coordinator:
    folder.mkdir(exist_ok=True)
    watcher = watcher or Silent()
    space, ledger = open_recorded(space, folder, watcher, keep)
    return open_search(space, ledger, folder, prepare=prepare, profile=profile, watcher=watcher, **options)


def reports_of(job: Job, begin: int = 0) -> Iterator[dict[str, Any]]:
    """What a worker sends, from rung `begin` on."""
    rungs = job.candidate.training.rungs
    points = [_point(job.candidate, rung, share) for rung, share in enumerate(rungs)]
    for end in range(begin + 1, len(points) + 1):
        state = "complete" if end == len(points) else "running"
        yield {"number": job.number, "state": state, "curve": [asdict(point) for point in points[:end]]}


def _point(candidate: Candidate, rung: int, share: float) -> Validation:
    training, context = candidate.training, candidate.model.context
    step = max(1, round(share * training.steps(context)))
    return Validation(
        rung=rung,
        step=step,
        tokens=step * training.batch_size * context,
        loss=loss_of(candidate, share),
        bits_per_byte=1.0,
        seconds=rung + 1,
    )


def drive(coordinator: Coordinator) -> None:
    while True:
        job = coordinator.next_job()
        if job is None:
            if coordinator.ended:
                return
            continue
        for report in reports_of(job):
            if not coordinator.report(job.number, report):
                break
