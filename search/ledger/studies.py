"""The Optuna studies of a search, and how their trials are written from another process than the one that asked.

Optuna lets a `Trial` object be written only where `Study.ask` gave it. After a restart there is none, so that what is
known of a trial goes through the study's storage. This is the one place that touches it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, TrialState

SEARCH = "search"
"""Name of the search study, the source of truth. Pruners judge another one, see `search.propose.mirror`."""


def open_search_study(storage: BaseStorage, objectives: Sequence[str]) -> optuna.Study:
    """The search study, made where it is missing. All objectives are minimised."""
    with quiet_optuna():
        study = open_study(storage, SEARCH, values=len(objectives))
        if list(study.metric_names or ()) != list(objectives):
            study.set_metric_names(list(objectives))
    return study


def open_study(storage: BaseStorage, name: str, *, values: int, pruner: BasePruner | None = None) -> optuna.Study:
    """A study by name. Optuna's `load_if_exists` would write a line into the journal at each opening."""
    import optuna

    if name in {study.study_name for study in storage.get_all_studies()}:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    return optuna.create_study(study_name=name, storage=storage, pruner=pruner, directions=["minimize"] * values)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's own lines on the terminal: they speak of studies, which our users never meet."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


class StudyTrials:
    """The trials of a study by number, read one at a time and written."""

    def __init__(self, study: optuna.Study) -> None:
        self._study, self._storage = study, study._storage

    def all(self) -> list[FrozenTrial]:
        """Every trial by number; not copies, so not to be changed."""
        return self._study.get_trials(deepcopy=False)

    def get(self, number: int) -> FrozenTrial:
        """One trial, without a list of all being made."""
        return self._storage.get_trial(self._id(number))

    def set_attribute(self, number: int, key: str, value: Any) -> None:
        """Write an attribute; an equal one is left alone."""
        if self.get(number).user_attrs.get(key) != value:
            self._storage.set_trial_user_attr(self._id(number), key, value)

    def set_constraint(self, number: int, name: str, value: float) -> None:
        """As `Trial.set_constraint` does; a value that is already there is kept."""
        if name not in self.get(number).constraints:
            self._storage.set_trial_system_attr(self._id(number), f"constraints:{name}", float(value))

    def set_intermediate_value(self, number: int, step: int, value: float) -> None:
        """As `Trial.report` does."""
        self._storage.set_trial_intermediate_value(self._id(number), step, value)

    def close(self, number: int, state: TrialState, values: Sequence[float] | None) -> None:
        """End a trial without telling the sampler, as a study that has none needs."""
        self._storage.set_trial_state_values(self._id(number), state, values)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
