"""One trial in its process: build, restore, train from rung to rung, report, and never raise.

A failure is a report like another, with its traceback in the trial's `log.txt`; only a lost process is Ray's to
mend. Files are in ``results/NAME/trials/NNNN``, which every machine of a cluster must see under the same path.
"""

from __future__ import annotations

import csv
import faulthandler
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from msarch.candidate import Candidate
from msarch.corpus_config import CorpusConfig
from msarch.tokens import TokenSet, prepare_tokens
from msarch.trainer import NonFiniteLoss, Trainer, Validation
from search.aside import written_aside

FIRST_STEP_LIMIT, SHORTEST_LIMIT, PATIENCE = 6 * 3600, 900, 20
"""Seconds after which a step counts as hung: at first, at least, and as a multiple of what the last rung foretells."""


@cache
def _tokens(corpus: CorpusConfig, base: Path) -> TokenSet:
    return prepare_tokens(corpus, base=base)


class TrialWorker:
    """Trains one trial.

    Args:
        number: of the trial.
        candidate: with the corpus's paths as they are on this machine, relative ones from `base`.
        folder: of the trial.
        device: "cpu" or "cuda".
    """

    def __init__(self, *, number: int, candidate: Candidate, folder: Path, base: Path, device: str) -> None:
        self._number, self._candidate, self._folder, self._base, self._device = number, candidate, folder, base, device
        self._trainer: Trainer | None = None
        # A driver that was killed may leave a process behind for a moment: two must not train the same trial.
        self._lock = FileLock(folder / "checkpoint" / ".lock", timeout=120)

    def step(self) -> dict[str, Any]:
        """Train to the next rung, or pick up a checkpoint and repeat its last report.

        The report holds `number`, `state` (running, complete, failed; halted where a file could not be written,
        which is no fault of the trial), `curve`, and perhaps `error` and `memory_measured_bytes`.
        """
        try:
            with self._hang_guard():
                report = self._step()
        except NonFiniteLoss as error:
            report = {"state": "failed", "error": str(error)}
            self._log(str(error))
        except OSError as error:
            report = {"state": "halted", "error": str(error)}
        except Exception as error:
            report = {"state": "failed", "error": _one_line(error)}
            self._log(traceback.format_exc())
        if report["state"] != "running":
            self.release()
        return {"number": self._number, "curve": self._curve(), **report}

    def release(self) -> None:
        """Give the trial up; its checkpoint stays."""
        self._lock.release(force=True)

    def _step(self) -> dict[str, Any]:
        if self._trainer is None:
            self._trainer = self._build()
            if self._trainer.restore(self._folder / "checkpoint"):
                self._log(f"goes on after step {self._trainer.step}")
                return self._report(self._trainer)
        trainer = self._trainer
        trainer.advance()
        self._write_metrics(trainer.curve)
        trainer.save(self._folder / "checkpoint")
        return self._report(trainer)

    def _build(self) -> Trainer:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        self._log(f"{self._candidate.model.variant} {self._candidate.model.layers} on {self._device}")
        if self._device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        return Trainer(self._candidate, _tokens(self._candidate.corpus, self._base), device=self._device)

    def _report(self, trainer: Trainer) -> dict[str, Any]:
        if not trainer.finished:
            return {"state": "running"}
        weights = self._folder / "model.safetensors"
        if not weights.exists():
            trainer.save_weights(weights)
        report: dict[str, Any] = {"state": "complete"}
        if self._device == "cuda":
            import torch

            report["memory_measured_bytes"] = torch.cuda.max_memory_allocated()
        return report

    def _curve(self) -> list[dict[str, Any]]:
        points = [asdict(point) for point in self._trainer.curve] if self._trainer else []
        return [{key: value for key, value in point.items() if key != "step"} for point in points]

    def _write_metrics(self, curve: list[Validation]) -> None:
        with written_aside(self._folder / "metrics.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(asdict(curve[0])))
            writer.writeheader()
            writer.writerows(map(asdict, curve))

    def _log(self, text: str) -> None:
        with (self._folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {text.rstrip()}\n")

    @contextmanager
    def _hang_guard(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log.txt").open("a", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(self._step_limit(), exit=True, file=file)
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
