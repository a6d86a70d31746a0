"""Which finished trials keep the checkpoint from before their decay, so that they can be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.training.file_names import BEFORE_DECAY
from search.ledger.folder import trial_folder
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.space.schema.search import Keep
from search.space.space import Space

if TYPE_CHECKING:
    import optuna

KEEP = "keep"
"""Attribute of the search study: the choice in force, and what the space said when it was made."""


def with_choice(space: Space, asked: Keep | None, study: optuna.Study) -> Space:
    """The space with the choice in force, which is recorded in the study: a choice lasts until another one is made.

    One is made by `asked`, or by a space that says another than it did when the folder was last opened. A choice that
    is merely left out stays as it was, since to forget it would delete what it kept.
    """
    recorded: dict[str, Any] = study.user_attrs.get(KEEP, {})
    written = space.search.keep if "keep" in space.search.model_fields_set else None
    made = asked or (written if written != recorded.get("written") else None)
    chosen = made or recorded.get("chosen")
    if chosen is None:
        return space
    if recorded != (now := {"chosen": chosen, "written": written}):
        study.set_user_attr(KEEP, now)
    return replace(space, search=space.search.model_copy(update={"keep": chosen}))


class KeptCheckpoints:
    """Removes those that are not to be kept, as trials end; a trial that a better one drives off the front loses its.

    Args:
        folder: of the results; None where trials leave no files.
        keep: of which complete trials.
        objectives: of the front.
        removes: whether any is removed; not yet, where a search without a choice takes in what an earlier run left.

    Attributes:
        removed: how many were.
    """

    def __init__(self, folder: Path | None, keep: Keep, objectives: Sequence[str], *, removes: bool = True) -> None:
        self._folder, self._keep, self._objectives = folder, keep, objectives
        self.removes, self.removed = removes, 0
        self._front: list[TrialRecord] = []

    def note_end(self, record: TrialRecord) -> None:
        """A trial has ended, in this run of the search or an earlier one."""
        if self._folder is None or (self._keep == "all" and record.state == "complete"):
            return
        candidates = [*self._front, record]
        self._front = pareto_front(candidates, self._objectives) if self._keep == "front" else []
        numbers = {each.number for each in self._front}
        for each in candidates:
            path = trial_folder(self._folder, each.number) / BEFORE_DECAY
            if self.removes and each.number not in numbers and path.exists():
                path.unlink()
                self.removed += 1
