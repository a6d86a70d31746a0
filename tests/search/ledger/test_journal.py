"""A journal cut anywhere opens again, and loses at most what was being written."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from msarch.errors import UserError
from search.ledger.journal import repair

optuna.logging.set_verbosity(optuna.logging.ERROR)


def _open(path: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(
        storage=storage, study_name="search", load_if_exists=True, sampler=optuna.samplers.RandomSampler(seed=0)
    )


def _propose(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.suggest_float("y", 0, 1)
    trial.set_user_attr("candidate", {"x": trial.params["x"]})
    return trial


def _repair(path: Path) -> None:
    repair(path, study="search", last_attr="candidate")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "study.journal"
    study = _open(path)
    other = optuna.create_study(storage=study._storage, study_name="curves")
    for value in range(3):
        trial = _propose(study)
        other.add_trial(optuna.trial.create_trial(value=0.0, user_attrs={"number": trial.number}))
        study.tell(trial, float(value))
    _propose(study)
    return path


def test_cut_at_any_byte_of_the_last_trials_it_opens_and_keeps_what_was_told(journal: Path, tmp_path: Path) -> None:
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    start = len(b"".join(lines[: len(lines) // 2]))
    for end in range(start, len(content) + 1, 7):
        copy = tmp_path / f"{end}.journal"
        copy.write_bytes(content[:end])
        _repair(copy)
        study = _open(copy)
        told = sum(b'"op_code":6' in line for line in content[:end].splitlines(keepends=True) if line.endswith(b"\n"))
        assert len([trial for trial in study.trials if trial.state.is_finished()]) == told
        assert all("candidate" in trial.user_attrs for trial in study.trials)
        assert [trial.number for trial in study.trials] == list(range(len(study.trials)))
        _propose(study)


def test_a_cut_proposal_comes_again_under_its_number(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    trial = _open(path).ask()
    first = trial.suggest_float("x", 0, 1)
    _repair(path)
    assert b"CREATE" not in path.read_bytes()
    assert (tmp_path / "study.journal.torn").exists()
    again = _open(path).ask()
    assert (again.number, again.suggest_float("x", 0, 1)) == (trial.number, first)


def test_a_waiting_trial_waits_again(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    study = _open(path)
    study.enqueue_trial({"x": 0.25, "y": 0.5})
    study.ask().suggest_float("x", 0, 1)
    _repair(path)
    study = _open(path)
    assert study.trials[0].state == optuna.trial.TrialState.WAITING
    assert _propose(study).params == {"x": 0.25, "y": 0.5}


def test_a_whole_journal_is_left_as_it_is(journal: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study.journal"
    copy.write_bytes(journal.read_bytes())
    _repair(copy)
    assert copy.read_bytes() == journal.read_bytes()
    assert not copy.with_name("study.journal.torn").exists()


def test_a_left_over_lock_is_cleared(journal: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study.journal"
    copy.write_bytes(journal.read_bytes())
    (tmp_path / "study.journal.lock").symlink_to(copy)
    _repair(copy)
    _propose(_open(copy))


def test_damage_in_the_middle_is_told_with_its_line(journal: Path, tmp_path: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    copy = tmp_path / "study.journal"
    copy.write_bytes(b"".join([*lines[:3], b"{broken\n", *lines[4:]]))
    with pytest.raises(UserError, match=r"study\.journal:4: is damaged"):
        _repair(copy)
