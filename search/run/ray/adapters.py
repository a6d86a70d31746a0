"""Ray Tune's searcher, scheduler and stopper, as thin as they can be: the coordinator decides.

Whatever the coordinator raises is kept and ends the search, since Ray would wrap it in errors of its own. Ray
saves the state of its parts from time to time; the journal has everything, so these save nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from msarch.errors import UserError
from msarch.units import format_seconds
from search.ledger.folder import trial_folder
from search.run.coordinator import Coordinator
from search.run.deadlines import Deadlines
from search.run.ray.stopping import StopSignal
from search.run.slots import Slots
from search.run.trials import Job
from search.run.watcher import Watcher


@dataclass(frozen=True)
class Workplace:
    """Where trials run.

    Attributes:
        folder: of the results.
        base: where relative paths of the corpus start.
        scratch: folder of the search, by whose name a worker knows the results folder.
        slots: what each takes, and so its device.
        trial_timeout: seconds from rung to rung that the space allows; None where the driver learns them.
        keeps: whether trials write the checkpoint from before their decay.
    """

    folder: Path
    base: Path
    scratch: Path
    slots: Slots
    trial_timeout: int | None = None
    keeps: bool = False

    def config(self, job: Job) -> dict[str, str]:
        """The configuration of a Ray trial: one JSON text, which Ray neither flattens nor samples from."""
        values = {
            "number": job.number,
            "candidate": job.candidate.to_dict(),
            "corpus": asdict(job.corpus),
            "folder": str(trial_folder(self.folder, job.number)),
            "base": str(self.base),
            "device": self.slots.device,
            "gpu_share": self.slots.gpu_share,
            "timeout": self.trial_timeout or 0,
            "scratch": str(self.scratch),
            "keeps": self.keeps,
        }
        return {"job": json.dumps(values)}


class CoordinatedSearcher(Searcher):
    """Gives Ray what the coordinator wants trained."""

    def __init__(self, coordinator: Coordinator, stop: StopSignal, workplace: Workplace, deadlines: Deadlines) -> None:
        super().__init__()
        self._coordinator, self._stop, self._workplace = coordinator, stop, workplace
        self._deadlines = deadlines
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next trial, FINISHED where there will be none, None where there is none for now."""
        job = self._stop.guard(self._coordinator.next_job, None)
        if job is not None:
            self._numbers[trial_id] = job.number
            self._deadlines.started(job, self._coordinator.profile(job.number))
            return self._workplace.config(job)
        finished = self._stop.is_set or (self._coordinator.ended and self._coordinator.idle)
        return Searcher.FINISHED if finished else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial has ended; its last report said how, so only a lost process matters here."""
        if error:
            number = self._numbers[trial_id]
            self._deadlines.ended(number)
            text = why_lost(self._deadlines.hangs(number))
            self._stop.guard(lambda: self._coordinator.lost(number, text), None)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal has it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the journal has it."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


def why_lost(hangs: Sequence[float]) -> str:
    """Why a trial was given up whose process ended again and again.

    Args:
        hangs: the limits, in seconds, after which its process was killed; none where it died by itself.
    """
    if not hangs:
        return "its process died, and died again after each restart; memory may have run out"
    times = "once, and its process died after other restarts" if len(hangs) == 1 else f"{len(hangs)} times"
    return (
        f"it hung {times}: no sign of life for {format_seconds(max(hangs))}; is a disk slow, or a process stopped? "
        "search.trial_timeout sets how long to wait"
    )


class RungScheduler(FIFOScheduler):
    """Hands each rung's report to the coordinator, and returns its verdict to Ray."""

    def __init__(self, coordinator: Coordinator, stop: StopSignal, watcher: Watcher, deadlines: Deadlines) -> None:
        super().__init__()
        self._coordinator, self._stop, self._watcher, self._deadlines = coordinator, stop, watcher, deadlines
        self._trials: dict[int, Trial] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Ray has a new trial; its process is found by its number."""
        super().on_trial_add(tune_controller, trial)
        self._trials[json.loads(trial.config["job"])["number"]] = trial

    def kill_overdue(self) -> None:
        """Kill the processes of trials that stand still. Ray starts each again, and it goes on from its checkpoint."""
        import ray

        for number in self._deadlines.overdue():
            actor = self._trials[number].temporary_state.ray_actor
            if actor is not None:  # else it waits for a free place
                self._watcher.message(
                    f"trial {number}: no sign of life for {format_seconds(self._deadlines.hangs(number)[-1])}; its "
                    "process is killed, and another one continues from the checkpoint"
                )
                ray.kill(actor)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        report = json.loads(result["report"])
        runs_on = self._stop.guard(lambda: self._forward(report), False)
        self._deadlines.reported(report["number"], report, runs_on)
        return str(TrialScheduler.CONTINUE if runs_on else TrialScheduler.STOP)

    def _forward(self, report: dict[str, Any]) -> bool:
        if report["state"] == "halted":
            raise UserError(f"trial {report['number']}: {report['error']}")
        if report.get("ready"):
            self._stop.start_clock()
            self._watcher.training(report["number"])
        return self._coordinator.report(report["number"], report)

    def __getstate__(self) -> dict[str, Any]:
        return {}


class SignalStopper(Stopper):
    """Ends the experiment when the stop signal says so.

    Args:
        often: called whenever Ray asks, several times a second.
    """

    def __init__(self, stop: StopSignal, often: Callable[[], None]) -> None:
        self._stop, self._often = stop, often

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Whether to stop every trial."""
        self._stop.guard(self._often, None)
        return self._stop.is_set

    def __getstate__(self) -> dict[str, Any]:
        return {}
