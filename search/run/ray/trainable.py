"""The Ray Tune trainable: a reusable actor around one `TrialWorker` after another.

It lives on between trials, which saves the import of torch each time; so each trial sets its own seed, and a
process-wide figure, such as peak memory, is not one trial's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ray import tune

from msarch.config.candidate import Candidate


class TrialTrainable(tune.Trainable):
    """Trains what `config["job"]`, a JSON text, describes; each step is a rung."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first job. Nothing is built yet: a failure in `step` is reported; here Ray would handle it."""
        self._worker: Any = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take another job."""
        if self._worker is not None:
            self._worker.release()
        self._job = json.loads(new_config["job"])
        self._worker = None
        return True

    def step(self) -> dict[str, Any]:
        """The worker's report, as a JSON text since Ray flattens what is nested.

        It never says `done`: Ray would then end the trial without asking the scheduler, which decides.
        """
        if self._worker is None:
            self._worker = self._start(self._job)
        return {"report": json.dumps(self._worker.step())}

    def _start(self, job: dict[str, Any]) -> Any:
        from search.run.ray.worker import TrialWorker, keep_modules

        keep_modules()
        placed = Candidate.from_dict({**job["candidate"], "corpus": job["corpus"]})
        return TrialWorker(
            number=job["number"],
            candidate=Candidate.from_dict(job["candidate"]),
            corpus=placed.corpus,
            folder=Path(job["folder"]),
            base=Path(job["base"]),
            device=job["device"],
            gpu_share=job["gpu_share"],
            timeout=job["timeout"],
            scratch=job["scratch"],
            keeps=job["keeps"],
        )
