"""The trials of a damaged journal, from the lines of it that are whole, and which trial a line belongs to.

Optuna can only replay a journal from its first line to its last. Here damaged lines are left out, and each
trial is put together from the others. Whether a trial is whole is for its checksum to say, which holds its
number too: a lost line may have been the one that created a trial, so that counting them is not enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from search.ledger.attributes import CANDIDATE
from search.ledger.checks import CHECK
from search.ledger.journal import RUNNING, JournalLines

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SEARCH_STUDY = 0  # its id: a search creates its study before anything else


class Salvage:
    """What the whole lines of a journal say.

    Attributes:
        objectives: names of what the search minimises; none where they are lost.
        trials: of the search study, by number; those whose number is lost are left out.
        numbers: trial id -> number in the search, also for the trials that a pruner judges by.
    """

    def __init__(self, journal: JournalLines) -> None:
        self.objectives: tuple[str, ...] = ()
        self._attributes: dict[int, dict[str, Any]] = {}
        self._constraints: dict[int, dict[str, Any]] = {}
        self._told: dict[int, tuple[int, Any]] = {}
        self._most = len(journal.lines) + journal.missing
        self._studies: list[int | None] = []  # trial id -> study id, None where the line is lost that created it
        for _, operation in whole_operations(journal):
            self._take(operation)
        self.numbers = self._number()
        self.trials = self._trials()

    def _take(self, operation: dict[str, Any]) -> None:
        trial = operation.get("trial_id")
        if isinstance(trial, int) and trial > self._most:  # no trial of this journal: each took a line to create
            return
        if isinstance(trial, int) and trial >= len(self._studies):
            self._studies += [None] * (trial + 1 - len(self._studies))
        match operation:
            case {"op_code": 3, "study_id": 0, "system_attr": {"study:metric_names": list(names)}}:
                self.objectives = tuple(map(str, names))
            case {"op_code": 4, "study_id": int(study)}:
                self._studies.append(study)
                self._attributes[len(self._studies) - 1] = dict(operation.get("user_attrs") or {})
                self._told[len(self._studies) - 1] = operation.get("state", RUNNING), None
            case {"op_code": 6, "trial_id": int(), "state": int(state)} if trial is not None:
                self._told[trial] = state, operation.get("values")
            case {"op_code": 8, "trial_id": int(), "user_attr": dict(given)} if trial is not None:
                self._attributes.setdefault(trial, {}).update(given)
            case {"op_code": 9, "trial_id": int(), "system_attr": dict(given)} if trial is not None:
                self._constraints.setdefault(trial, {}).update(given)

    def _number(self) -> dict[int, int]:
        numbers: dict[int, int] = {}
        count, certain = 0, True
        for trial, study in enumerate(self._studies):
            attributes = self._attributes.get(trial, {})
            ours = study == SEARCH_STUDY or CANDIDATE in attributes
            certain = certain and (study is not None or CANDIDATE in attributes)
            told = _mapping(attributes.get(CHECK)).get("number") if ours else attributes.get("number")
            if isinstance(told, int):
                numbers[trial] = told
            elif ours and certain:
                numbers[trial] = count
            count += ours
        return numbers

    def _trials(self) -> list[FrozenTrial]:
        found = [self._trial(number) for number in self.numbers if CANDIDATE in self._attributes.get(number, {})]
        for trial in found:
            self.objectives = self.objectives or tuple(_mapping(_mapping(trial.user_attrs.get(CHECK)).get("values")))
        return sorted(found, key=lambda trial: trial.number)

    def _trial(self, trial: int) -> FrozenTrial:
        from optuna.trial import FrozenTrial, TrialState

        state, values = self._told.get(trial, (RUNNING, None))
        return FrozenTrial(
            number=self.numbers[trial],
            trial_id=trial,
            state=TrialState(state) if state in list(TrialState) else TrialState.RUNNING,
            value=None,
            values=values,
            params={},
            distributions={},
            user_attrs=self._attributes[trial],
            system_attrs=self._constraints.get(trial, {}),
            intermediate_values={},
            datetime_start=None,
            datetime_complete=None,
        )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def whole_operations(journal: JournalLines) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that are as they were written and can be parsed, each with its index."""
    altered = set(journal.altered)
    for index, line in enumerate(journal.lines):
        if index in altered:
            continue
        try:
            operation = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(operation, dict):
            yield index, operation
