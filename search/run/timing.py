"""How long trials take on this machine: a few are started for real, as many at a time as in a search.

Each slot of the search is a process of its own here, in the environment of Ray's workers, so that slots compete for
memory and cores as in the search. A process reads candidates as JSON from standard input and writes its timings:

    python -m search.run.timing < candidates.json
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet
    from msarch.training.trainer import Trainer

HARMLESS_RATE = 1e-9
"""In place of the candidate's own, at which its loss may run away; a step takes as long at any rate."""
STEPS_SECONDS = 1.0
"""Time at least this long of training steps for each candidate."""
SLOT_SECONDS = 15.0
"""A slot starts no new candidate after this long; steps of a large model on a CPU take minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long one candidate takes on one slot while the others are busy, in seconds.

    Attributes:
        setup: to build the model and check it.
        step: one training step.
        validation: one validation.
        save: one checkpoint.
    """

    setup: float
    step: float
    validation: float
    save: float

    def trial_seconds(self, candidate: Candidate) -> float:
        """Of the whole trial, from the building of its model to its last checkpoint."""
        steps, rungs = candidate.training.steps(candidate.model.context), len(candidate.training.rungs)
        return self.setup + steps * self.step + rungs * (self.validation + self.save)


def time_on_slots(slots: Sequence[Sequence[Candidate]], device: str) -> tuple[list[list[Timing]], float]:
    """Time each slot's candidates, all slots at once; also the seconds that a slot takes to start.

    A slot's list is shorter than its candidates where time ran out; it holds one at least. Raises UserError where a
    process died, for want of memory say.
    """
    began = time.time()
    running = [_start(candidates, device, index) for index, candidates in enumerate(slots)]
    try:
        found = [_result(process) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    timings = [[Timing(**values) for values in result["timings"]] for result in found]
    return timings, max(result["started"] for result in found) - began


def _start(candidates: Sequence[Candidate], device: str, slot: int) -> subprocess.Popen[str]:
    from search.run.ray.lean import WORKER

    environment = {**os.environ, **WORKER, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if device == "cuda":
        environment["CUDA_VISIBLE_DEVICES"] = _gpu_of(slot)
    with tempfile.TemporaryFile("w+") as given:  # writing into the pipe of a process that has died would raise
        json.dump([candidate.to_dict() for candidate in candidates], given)
        given.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", "search.run.timing", device],
            env=environment,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _gpu_of(slot: int) -> str:
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
    return names[slot % len(names)]


def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, error = process.communicate()
    if process.returncode:
        raise UserError(f"timing candidates failed: {_cause(process.returncode, error)}")
    result: dict[str, Any] = json.loads(out)
    return result


def _cause(status: int, error: str) -> str:
    """Why a process ended with this status, which is negative where a signal ended it."""
    if status == -signal.SIGKILL:
        return (
            "a process was killed, as the system does where memory runs out; set limits.memory, or a smaller "
            "--concurrent, for less at a time"
        )
    last = error.strip().splitlines()[-1:]
    return last[0] if last and status > 0 else f"a process ended with status {status}"


def time_candidate(candidate: Candidate, device: str) -> Timing:
    """Build the candidate, train it for a second or two on random tokens, validate and save it once."""
    began = time.perf_counter()
    trainer = _trainer(candidate, device)
    setup = time.perf_counter() - began
    return Timing(
        setup=setup,
        step=_step_seconds(trainer),
        validation=_validation_seconds(trainer, candidate.training.targets()),
        save=_save_seconds(trainer),
    )


def _trainer(candidate: Candidate, device: str) -> Trainer:
    from msarch.training.trainer import Trainer

    # Rungs at 1, 2, 4, 8 ... steps, with a validation of one token at each, which takes next to no time.
    rungs = tuple(2**exponent / 2**20 for exponent in range(21))
    context, batch_size = candidate.model.context, candidate.training.batch_size
    training = replace(
        candidate.training,
        tokens=2**20 * batch_size * context,
        rungs=rungs,
        validation_tokens=1,
        learning_rate=HARMLESS_RATE,
    )
    return Trainer(replace(candidate, training=training), _random_tokens(candidate), device=device)


def _step_seconds(trainer: Trainer) -> float:
    trainer.advance()  # the first step allocates
    began, first = time.perf_counter(), trainer.step
    while time.perf_counter() - began < STEPS_SECONDS:
        trainer.advance()
    return (time.perf_counter() - began) / (trainer.step - first)


def _validation_seconds(trainer: Trainer, targets: int) -> float:
    """Of `targets` tokens, from at most four batches of them."""
    model, training = trainer.candidate.model, trainer.candidate.training
    some = min(targets, 8 * training.batch_size * model.context)  # a batch of a validation is twice that of a step
    began = time.perf_counter()
    trainer.evaluate("validation", some)
    return (time.perf_counter() - began) * targets / some


def _save_seconds(trainer: Trainer) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        trainer.save(Path(folder))
        return time.perf_counter() - began


def _random_tokens(candidate: Candidate) -> TokenSet:
    import numpy as np

    from msarch.data.token_set import TokenSet

    size = candidate.model.vocab_size
    length = max(candidate.model.context, candidate.training.targets()) + 2
    text = np.random.default_rng(0).integers(0, size, length)
    return TokenSet(
        train=text,
        validation=text,
        test=None,
        vocab_size=size,
        fingerprint="",
        content="",
        token_bytes=np.ones(size, dtype=np.int64),
        folder=Path(),
    )


def main() -> None:
    """One slot: candidates from standard input, timings to standard output."""
    candidates = [Candidate.from_dict(values) for values in json.load(sys.stdin)]
    _trainer(candidates[0], sys.argv[1])  # a worker's first model takes seconds of imports: part of its start
    started = time.time()
    timings: list[dict[str, float]] = []
    for candidate in candidates:
        if not timings or time.time() - started < SLOT_SECONDS:
            timings.append(asdict(time_candidate(candidate, sys.argv[1])))
    print(json.dumps({"started": started, "timings": timings}))


if __name__ == "__main__":
    main()
