"""One trial in its process: build, restore, train from rung to rung, report, and never raise.

A failure is reported like a result, with its traceback in the trial's `log.txt`; only lost processes are left to
Ray. Files are in ``results/NAME/trials/NNNN``, which every machine of a cluster must see under the same path.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.errors import UserError
from msarch.training.file_names import BEFORE_DECAY
from msarch.training.trainer import NonFiniteLossError, Trainer
from msarch.training.validation import write_curve
from search.run.ray.memory_cap import MemoryCap, cap_of, tried_bytes
from search.run.ray.shared_folder import UnsharedError, require_shared, unreadable_text

FIRST_STEP_LIMIT, SHORTEST_LIMIT, PATIENCE = 6 * 3600, 900, 20
"""Seconds after which a step counts as hung: at first, at least, and as a multiple of the time expected."""

LOCK_PATIENCE = 120.0
"""Seconds to wait for another process that trains the same trial: one left by a killed search ends by itself."""
_LOCKED = "another process is still training it and holds {}; when that has ended, start the search again"


@cache
def _tokens(corpus: CorpusConfig, base: Path) -> TokenSet:
    try:
        return prepare_tokens(corpus, base=base)
    except UserError as error:  # the process that drives the search has read the same text
        raise unreadable_text(error) from error


@cache
def keep_modules() -> None:
    """Once a process: the garbage collector passes over what is imported by now, which saves 0.3 s after a trial."""
    gc.freeze()


def give_back_memory() -> None:
    """Give freed memory back to the system, where the C library can: by its settings here it keeps some gigabytes."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class TrialWorker:
    """Trains one trial.

    Args:
        number: of the trial.
        candidate: as it is recorded.
        folder: of the trial.
        base: where relative paths of the corpus start.
        device: "cpu" or "cuda".
        gpu_share: of the GPU's memory that this trial may take; below 1 where trials share a GPU.
        cap: of the GPU's memory; by default on "cuda" only.
        lock_patience: seconds to wait for another process that trains this trial.
        timeout: seconds that a step may take at least, before this process ends itself.
        scratch: of the search; where the note in its results folder does not name it, this process sees another disk.
        keeps: whether the checkpoint from before a wsd schedule's decay is written.
        corpus: its text with this machine's paths; by default the candidate's.
    """

    def __init__(
        self,
        *,
        number: int,
        candidate: Candidate,
        folder: Path,
        base: Path,
        device: str,
        gpu_share: float = 1.0,
        cap: MemoryCap | None = None,
        lock_patience: float = LOCK_PATIENCE,
        timeout: float = 0.0,
        scratch: str = "",
        keeps: bool = False,
        corpus: CorpusConfig | None = None,
    ) -> None:
        self._number, self._candidate, self._folder, self._base, self._device = number, candidate, folder, base, device
        self._corpus = corpus or candidate.corpus
        self._trainer: Trainer | None = None
        self._begun = False  # whether there may be something to release
        self._timeout, self._scratch, self._keeps = timeout, scratch, keeps
        self._cap = MemoryCap(torch.cuda, gpu_share) if device == "cuda" and cap is None else cap
        # A driver that was killed may leave a process behind for a moment: two must never train the same trial. Held
        # during a step only, since a trial that is paused may be resumed in another process, and nobody tells this one.
        self._lock = FileLock(folder / "checkpoint" / ".lock", timeout=lock_patience)

    def step(self) -> dict[str, Any]:
        """At first build the model or pick up a checkpoint; then train to the next rung at each call. Never raises.

        The report holds `number`, `state` (running, complete, failed; infeasible where memory ran out; halted where the
        search itself cannot continue, which is not the trial's fault), `curve`, `ready` (whether the model was just
        built), and perhaps `error`, `memory_measured_bytes` and `memory_cap_bytes`.
        """
        try:
            if self._scratch and self._trainer is None:
                require_shared(self._folder.parent.parent, self._scratch)
            with self._lock:
                report = self._attempt()
        except UnsharedError as error:
            report = {"state": "halted", "error": str(error)}
        except Timeout as error:
            report = {"state": "halted", "error": _LOCKED.format(error.lock_file)}
        except OSError as error:  # a log line that could not be written is among these
            report = {"state": "halted", "error": f"its files could not be read or written: {error}"}
        except Exception as error:  # while another failure was being described
            report = {"state": "failed", "error": _one_line(error)}
        whole = {"number": self._number, "curve": self._curve(), "ready": False, **report}
        if report["state"] != "running":
            self.release()
        return whole

    def _attempt(self) -> dict[str, Any]:
        """A step's report; what training raises is logged. Raises OSError."""
        try:
            with self._hang_guard():
                return self._begin() if self._trainer is None else self._advance(self._trainer)
        except NonFiniteLossError as error:
            self._log(str(error))
            return {"state": "failed", "error": str(error)}
        except torch.OutOfMemoryError as error:
            self._log(traceback.format_exc())
            return self._ran_out(error)
        except (OSError, UnsharedError):
            raise
        except Exception as error:
            self._log(traceback.format_exc())
            return {"state": "failed", "error": _one_line(error)}

    def release(self) -> None:
        """Let go of the trial; its checkpoint stays."""
        if not self._begun:
            return
        self._begun = False
        self._trainer = None  # its tensors with it: the process lives on
        if self._cap is not None:
            self._cap.lift()
        elif self._device == "cpu":
            give_back_memory()

    def _ran_out(self, error: BaseException) -> dict[str, Any]:
        """For a trial that ran out of memory: the least it needs, its peak and the allocation that did not fit."""
        peak = 0
        if self._device == "cuda":
            peak = self._trainer.measured_bytes() if self._trainer else torch.cuda.max_memory_allocated()
        cap = cap_of(self._candidate)
        cap = cap if self._cap is None else self._cap.allowed(cap)
        needed = peak + tried_bytes(error)
        return {"state": "infeasible", "memory_measured_bytes": needed or cap, "memory_cap_bytes": cap}

    def _begin(self) -> dict[str, Any]:
        """Build the model; with a checkpoint, repeat the last report made before it."""
        trainer = self._trainer = self._build()
        if trainer.restore(self._folder / "checkpoint"):
            self._log(f"continues after step {trainer.step}")
        elif trainer.passed_over:
            self._log(f"{trainer.passed_over}; trains from the beginning")
        return {**self._report(trainer), "ready": True}

    def _advance(self, trainer: Trainer) -> dict[str, Any]:
        trainer.advance(lambda: self._keep(trainer))
        write_curve(self._folder / "metrics.csv", trainer.curve)
        trainer.save(self._folder / "checkpoint")
        return self._report(trainer)

    def _keep(self, trainer: Trainer) -> None:
        if self._keeps and trainer.decays_next:
            trainer.save(self._folder, BEFORE_DECAY)

    def _build(self) -> Trainer:
        self._begun = True
        self._log(f"{self._candidate.model.variant} {self._candidate.model.layers} on {self._device}")
        if self._device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        trainer = Trainer(self._candidate, _tokens(self._corpus, self._base), device=self._device)
        if self._cap is not None:
            # Only now: the self-check works on a copy in float64, which the cap has no room for.
            self._cap.lift()
            self._cap.put(cap_of(self._candidate))
        return trainer

    def _report(self, trainer: Trainer) -> dict[str, Any]:
        if not trainer.finished:
            return {"state": "running"}
        weights = self._folder / "model.safetensors"
        if not weights.exists():
            trainer.save_weights(weights)
        report: dict[str, Any] = {"state": "complete"}
        if trainer.memory_measured_bytes is not None:
            report["memory_measured_bytes"] = trainer.memory_measured_bytes
        return report

    def _curve(self) -> list[dict[str, Any]]:
        return [asdict(point) for point in self._trainer.curve] if self._trainer else []

    def _log(self, text: str) -> None:
        with (self._folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {text.rstrip()}\n")

    @contextmanager
    def _hang_guard(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log.txt").open("a", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(max(self._step_limit(), self._timeout), exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def _step_limit(self) -> float:
        if self._trainer is None or not self._trainer.curve or self._trainer.finished:
            return FIRST_STEP_LIMIT
        last, rungs = self._trainer.curve[-1], self._candidate.training.rungs
        ahead = rungs[min(last.rung + 1, len(rungs) - 1)] - rungs[last.rung]
        return max(SHORTEST_LIMIT, PATIENCE * last.seconds * ahead / rungs[last.rung])


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
