"""Which finished trials keep the checkpoint from before their decay, so that they can be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msarch.training.file_names import BEFORE_DECAY
from search.ledger.folder import trial_folder
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.space.schema.search import Keep


class KeptCheckpoints:
    """Removes those that are not to be kept, as trials end; a trial that a better one drives off the front loses its.

    Args:
        folder: of the results; None where trials leave no files.
        keep: of which complete trials.
        objectives: of the front.
    """

    def __init__(self, folder: Path | None, keep: Keep, objectives: Sequence[str]) -> None:
        self._folder, self._keep, self._objectives = folder, keep, objectives
        self._front: list[TrialRecord] = []

    def note_end(self, record: TrialRecord) -> None:
        """A trial has ended, in this run of the search or an earlier one."""
        if self._folder is None or (self._keep == "all" and record.state == "complete"):
            return
        candidates = [*self._front, record]
        self._front = pareto_front(candidates, self._objectives) if self._keep == "front" else []
        numbers = {each.number for each in self._front}
        for each in candidates:
            if each.number not in numbers:
                (trial_folder(self._folder, each.number) / BEFORE_DECAY).unlink(missing_ok=True)
