"""A results folder whose trials were all trained to their end, over made-up losses: a table for replays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from support.made_up_search import loss_of, open_in

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.run.trials import Job
from search.space.load import load_space
from search.space.writer import space_yaml

GRID = """
corpus: {source: python-docs, tokenizer: bytes}
model:
  context: 32
  d_model: {values: [16, 32, 64]}
  d_head: 16
  variant:
    vanilla: {layers: "1..4@1"}
    top_down: {layers: ["1..3@4 1@1", "1@16 1@4 1@1"]}
training: {tokens: 20k, batch_size: 8, learning_rate: {values: [3e-3, 1e-2]}}
objectives: [perplexity, memory]
search: {sampler: random, pruner: none, seed: 3}
"""
"""48 combinations: 24 of vanilla, 24 of top_down."""
LAYERS = {"vanilla": ["1@1", "2@1", "3@1", "4@1"], "top_down": ["1@4 1@1", "2@4 1@1", "3@4 1@1", "1@16 1@4 1@1"]}
COMBINATIONS = [
    {"variant": variant, "layers": layers, "d_model": width, "learning_rate": rate}
    for variant, alternatives in LAYERS.items()
    for layers in alternatives
    for width in (16, 32, 64)
    for rate in (3e-3, 1e-2)
]


def made_up_table(folder: Path, designs: Sequence[dict[str, Any]] = COMBINATIONS, *overrides: str) -> Path:
    """Search `GRID` in `folder`: these designs, each trained to its end; the results folder."""
    file = folder / "grid.yaml"
    file.write_text(GRID + yaml.safe_dump({"points": list(designs)}))
    space, results = load_space(file, overrides), folder / "table"
    coordinator = open_in(space, results, trials=len(designs))
    (results / "space.yaml").write_text(space_yaml(space))
    while not coordinator.ended:
        job = coordinator.next_job()
        for report in reports_of(job) if job is not None else ():
            coordinator.report(report["number"], report)
    return results


def _loss(candidate: Candidate, share: float) -> float:
    """No two models alike: of equal size, a narrow one is better, and one of more scales."""
    return loss_of(candidate, share) + 0.02 * math.log(candidate.model.d_model) - 0.03 * len(candidate.model.scales)


def reports_of(job: Job) -> Iterator[dict[str, Any]]:
    """What a worker sends of a whole training."""
    training = job.candidate.training
    points: list[dict[str, Any]] = []
    for rung, share in enumerate(training.rungs):
        point = Validation(
            rung=rung,
            step=round(share * training.steps(job.candidate.model.context)),
            tokens=round(share * training.tokens),
            loss=_loss(job.candidate, share),
            bits_per_byte=_loss(job.candidate, share) / 2,
            seconds=share * job.candidate.model.n_layers,
        )
        points.append(asdict(point))
        state = "complete" if rung == len(training.rungs) - 1 else "running"
        yield {"number": job.number, "state": state, "curve": list(points)}
