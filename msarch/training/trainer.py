"""Trains one candidate from rung to rung; on a CPU the same seed gives the same bits (see `make_deterministic`).

A trainer does not know of searches: it advances to its next validation, saves and restores. Data order is a pure
function of (seed, step), so a restored run continues as an uninterrupted one would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from msarch.config.candidate import Candidate
from msarch.data.batches import training_batch
from msarch.data.token_set import TokenSet
from msarch.models.build import build_model
from msarch.models.causality import check_causality
from msarch.training.checkpoint import load_training_state, read_tensors, training_state, write_tensors
from msarch.training.compiling import compile_layers, eager
from msarch.training.device import DeviceMemory, make_deterministic
from msarch.training.evaluation import Evaluation, evaluate
from msarch.training.file_names import FILE
from msarch.training.schedule import decay_begin, learning_rate, warmup_steps
from msarch.training.step import make_optimizer, set_learning_rate, training_step
from msarch.training.validation import Validation

# Reading a loss waits for the device, so losses are checked a few steps at a time.
_CHECK_EVERY = 16


class NonFiniteLossError(RuntimeError):
    """The loss became infinite or not a number.

    Attributes:
        step: the update, from 1, at which it did.
    """

    def __init__(self, step: int, what: str = "training") -> None:
        super().__init__(f"{what} loss is not finite at step {step}")
        self.step = step


class Trainer:
    """One candidate in training.

    Attributes:
        model: the model, on `device`.
        step: updates so far, of `steps`.
        curve: its validations so far.
        training_loss: mean of the last few steps in nats per token; None before they were read.
        passed_over: why the checkpoint that `restore` last found is not continued; empty where it found none.
    """

    def __init__(
        self, candidate: Candidate, tokens: TokenSet, *, device: str = "cpu", threads: int = 1, compiled: bool = False
    ) -> None:
        """Build the model from the candidate's seed and check that it is causal. Raises CausalityError.

        With `compiled` the layers go through torch.compile; the bits are then other ones.
        """
        make_deterministic(device, threads)
        self._memory = DeviceMemory(device)  # before the model, whose bytes it has to see
        torch.manual_seed(candidate.seed)
        self.candidate, self.tokens, self.device = candidate, tokens, device
        self.model = build_model(candidate.model).to(device)
        check_causality(self.model, candidate.seed)
        self._compiled = compiled
        if compiled:
            compile_layers(self.model)
        self.optimizer = make_optimizer(self.model, candidate.training)
        self.steps = candidate.training.steps(candidate.model.context)
        self.step = 0
        self.curve: list[Validation] = []
        self.training_loss: float | None = None
        self.passed_over = ""
        self._seconds = 0.0
        self._since: float | None = None  # when the seconds that are not counted yet began
        self._losses: list[Tensor] = []

    @property
    def finished(self) -> bool:
        """Whether the last rung has been validated."""
        return bool(self.curve) and self.curve[-1].rung == len(self.candidate.training.rungs) - 1

    @property
    def decays_next(self) -> bool:
        """Whether the next update is the first of a wsd schedule's decay: a checkpoint made now can be continued."""
        return self.candidate.training.schedule == "wsd" and self.step == decay_begin(self.steps)

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one update reads."""
        return self.candidate.training.batch_size * self.candidate.model.context

    def advance(self, after_step: Callable[[], None] = lambda: None) -> Validation:
        """Train to the next rung and validate there; `after_step` is called after each update, and may `save`.

        Raises NonFiniteLossError with the step.
        """
        assert not self.finished
        self._since = time.perf_counter()
        rung = self._next_rung()
        self._train_to(self._goal(rung), after_step)
        found = self.evaluate("validation")
        if not math.isfinite(found.loss):
            raise NonFiniteLossError(self.step, "validation")
        self._count_seconds()
        self._since = None
        self.curve.append(
            Validation(
                rung=rung,
                step=self.step,
                tokens=self.step * self.tokens_per_step,
                loss=found.loss,
                bits_per_byte=found.bits_per_byte,
                seconds=self._seconds,
            )
        )
        return self.curve[-1]

    def evaluate(self, split: str, targets: int | None = None) -> Evaluation:
        """The loss on a split's first `targets` tokens; by default as many as each validation takes."""
        training = self.candidate.training
        with eager(self._compiled):
            return evaluate(self.model, self.tokens, training, split=split, targets=targets or training.targets())

    @property
    def memory_measured_bytes(self) -> int | None:
        """On a GPU, the largest peak of a training step so far that its allocator measured; else None."""
        return self._memory.largest

    def measured_bytes(self) -> int:
        """On a GPU, the peak of the training steps since the last validation, one that ran out of memory included."""
        return self._memory.peak()

    def _next_rung(self) -> int:
        """After the last one validated; in a run continued from a smaller budget, the first not yet passed."""
        if self.curve:
            return self.curve[-1].rung + 1
        rungs = range(len(self.candidate.training.rungs))
        return next(rung for rung in rungs if self._goal(rung) >= self.step)

    def _goal(self, rung: int) -> int:
        return max(1, round(self.candidate.training.rungs[rung] * self.steps))

    def _train_to(self, goal: int, after_step: Callable[[], None]) -> None:
        with self._memory.measure():
            while self.step < goal:
                self._update()
                after_step()
            self._check_losses()

    def _update(self) -> None:
        training, model = self.candidate.training, self.candidate.model
        set_learning_rate(self.optimizer, learning_rate(training, self.step, self.steps))
        batch = training_batch(
            self.tokens.train,
            seed=self.candidate.seed,
            step=self.step,
            batch_size=training.batch_size,
            context=model.context,
        )
        inputs, targets = (torch.from_numpy(part).to(self.device) for part in batch)
        self._losses.append(training_step(self.model, self.optimizer, inputs, targets, training))
        self.step += 1
        if len(self._losses) == _CHECK_EVERY:
            self._check_losses()

    def _check_losses(self) -> None:
        if self._losses:
            losses = torch.stack(self._losses)
            finite = losses.isfinite()
            if not finite.all():
                first = int((~finite).nonzero()[0])
                raise NonFiniteLossError(self.step - len(self._losses) + first + 1)
            self.training_loss = losses.mean().item()
            self._losses.clear()

    def _count_seconds(self) -> None:
        if self._since is not None:
            now = time.perf_counter()
            self._seconds, self._since = self._seconds + now - self._since, now

    def save(self, folder: Path, name: str = FILE) -> None:
        """Write a checkpoint into `folder`, in one piece, between any two updates.

        Raises OSError, and NonFiniteLossError, so that no checkpoint follows a loss that is not finite.
        """
        self._check_losses()
        self._count_seconds()
        progress = {
            "candidate": self.candidate.digest(),
            "lineage": self._lineage(),
            "tokens": self.candidate.training.tokens,
            "warmup": self._warmup(),
            "steps": self.steps,
            "step": self.step,
            "seconds": self._seconds,
            "curve": [asdict(point) for point in self.curve],
        }
        write_tensors(folder / name, training_state(self.model, self.optimizer), progress)

    def restore(self, folder: Path, name: str = FILE, *, any_warmup: bool = False) -> bool:
        """Continue from the checkpoint in `folder`; False where it holds none of this candidate, see `passed_over`.

        A wsd run also continues from one of the same candidate with a smaller budget, made before its decay, whose
        warm-up took as many steps: it ends with the bits of a run from the beginning. Rungs that it has already passed
        are not validated. With `any_warmup` the warm-up may have been a shorter one, and the bits are others.
        """
        path = folder / name
        self.passed_over = ""
        if not path.exists():
            return False
        try:
            state, progress = read_tensors(path)
        except (SafetensorError, ValueError):
            self.passed_over = f"{path} is damaged"
            return False
        same = progress.get("candidate") == self.candidate.digest()
        if not same and not self._continues(progress, any_warmup):
            self.passed_over = f"{path} is of another training"
            return False
        load_training_state(self.model, self.optimizer, {name: t.to(self.device) for name, t in state.items()})
        self.step, self._seconds = progress["step"], progress["seconds"]
        # Rungs are shares of the budget: validations of a smaller budget are not those of this one.
        self.curve = [Validation(**point) for point in progress["curve"] if same]
        return True

    def _continues(self, progress: dict[str, Any], any_warmup: bool) -> bool:
        """Whether a checkpoint is of this candidate with a smaller budget, from before its decay."""
        return (
            self.candidate.training.schedule == "wsd"
            and progress.get("lineage") == self._lineage()
            and (any_warmup or progress.get("warmup") == self._warmup())
            and progress["tokens"] <= self.candidate.training.tokens
            and progress["step"] <= decay_begin(progress["steps"])
        )

    def _warmup(self) -> int:
        return warmup_steps(self.candidate.training, self.steps)

    def _lineage(self) -> str:
        """What two runs have in common that take the same updates until one of them decays."""
        alike = replace(self.candidate.training, tokens=1, warmup=0.0, rungs=(1.0,), validation_tokens=0)
        return replace(self.candidate, training=alike).digest()

    def save_weights(self, path: Path) -> None:
        """Write the model's parameters alone, with its candidate beside them. Raises OSError."""
        write_tensors(path, dict(self.model.state_dict()), {"candidate": self.candidate.portable().to_dict()})
