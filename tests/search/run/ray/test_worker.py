"""One trial's process: what it writes, how it continues, and that it reports its failures instead of raising them."""

from __future__ import annotations

import csv
import gc
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.data.token_set import prepare_tokens
from msarch.training.checkpoint import read_tensors
from msarch.training.file_names import BEFORE_DECAY, FILE
from msarch.training.trainer import Trainer
from msarch.training.validation import Validation
from search.run.ray.adapters import Workplace
from search.run.ray.scratch import NOTE
from search.run.ray.trainable import TrialTrainable
from search.run.ray.worker import TrialWorker, keep_modules
from search.run.slots import Slots
from search.run.trials import Job


@pytest.fixture
def candidate(corpus: CorpusConfig) -> Candidate:
    return Candidate(
        model=ModelConfig(variant="vanilla", layers="1@1", d_model=16, n_heads=1, vocab_size=258, context=32),
        training=TrainingConfig(batch_size=4, tokens=4_000, rungs=(0.25, 0.5, 1.0), validation_tokens=300),
        corpus=corpus,
    )


def _worker(candidate: Candidate, tmp_path: Path, name: str = "0007", **options: Any) -> TrialWorker:
    return TrialWorker(number=7, candidate=candidate, folder=tmp_path / name, base=tmp_path, device="cpu", **options)


def test_modules_are_not_searched_for_garbage_after_each_trial(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[int] = []  # objects that each collection looked at
    collect = gc.collect

    def counted() -> int:
        collected.append(len(gc.get_objects()))
        return collect()

    monkeypatch.setattr(gc, "collect", counted)
    slots = Slots(1, 1, 0)
    workplace = Workplace(folder=tmp_path / "out", base=tmp_path, scratch=tmp_path / "scratch", slots=slots)
    trainable = TrialTrainable.__new__(TrialTrainable)
    modules = len(gc.get_objects())
    keep_modules.cache_clear()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NOTE).write_text(str(workplace.scratch))
    try:
        for number in range(2):
            config = workplace.config(Job(number, candidate, candidate.corpus))
            trainable.reset_config(config) if number else trainable.setup(config)
            states = [json.loads(trainable.step()["report"])["state"] for _ in range(4)]
            assert states[-1] == "complete"
    finally:
        gc.unfreeze()
    assert len(collected) == 2 and max(collected) < modules / 3, (collected, modules)


@pytest.mark.parametrize(
    ("schedule", "keeps", "kept"), [("wsd", True, True), ("wsd", False, False), ("cosine", True, False)]
)
def test_what_is_asked_to_keeps_the_checkpoint_from_before_its_decay(
    schedule: Any, keeps: bool, kept: bool, candidate: Candidate, tmp_path: Path
) -> None:
    wanted = replace(candidate, training=replace(candidate.training, schedule=schedule))
    worker = _worker(wanted, tmp_path, keeps=keeps)
    assert [worker.step()["state"] for _ in range(4)][-1] == "complete"
    path = tmp_path / "0007" / BEFORE_DECAY
    assert path.exists() == kept
    if kept:
        parameters = sum(tensor.numel() for tensor in load_file(tmp_path / "0007" / "model.safetensors").values())
        assert 12 * parameters < path.stat().st_size < 12 * parameters + 20_000, "three float32 a parameter"
        assert read_tensors(path)[1]["step"] == 26


def test_it_trains_to_the_end_and_leaves_its_files(candidate: Candidate, tmp_path: Path) -> None:
    worker = _worker(candidate, tmp_path)
    reports = [worker.step() for _ in range(4)]
    assert [report["state"] for report in reports] == ["running", "running", "running", "complete"]
    assert [len(report["curve"]) for report in reports] == [0, 1, 2, 3]
    assert [report["ready"] for report in reports] == [True, False, False, False]
    rows = list(csv.DictReader((tmp_path / "0007" / "metrics.csv").open()))
    assert [float(row["loss"]) for row in rows] == [point["loss"] for point in reports[-1]["curve"]]
    assert (tmp_path / "0007" / "model.safetensors").exists()


def test_a_damaged_checkpoint_is_told_in_the_log(candidate: Candidate, tmp_path: Path) -> None:
    first = _worker(candidate, tmp_path)
    meant = [first.step() for _ in range(2)]
    first.release()
    checkpoint = tmp_path / "0007" / "checkpoint" / FILE
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    second = _worker(candidate, tmp_path)
    again = [second.step() for _ in range(2)]
    assert [point["loss"] for point in again[-1]["curve"]] == [point["loss"] for point in meant[-1]["curve"]]
    assert f"{checkpoint} is damaged; trains from the beginning" in (tmp_path / "0007" / "log.txt").read_text()


def test_another_process_repeats_the_last_report_and_goes_on_alike(candidate: Candidate, tmp_path: Path) -> None:
    whole = _worker(candidate, tmp_path, "whole")
    meant = [whole.step() for _ in range(4)]
    first = _worker(candidate, tmp_path)
    told = [first.step() for _ in range(3)]
    first.release()
    again = _worker(candidate, tmp_path)
    assert again.step() == {**told[-1], "ready": True}
    last = again.step()
    assert [point["loss"] for point in last["curve"]] == [point["loss"] for point in meant[-1]["curve"]]
    assert _worker(candidate, tmp_path).step()["state"] == "complete"


def test_a_trial_whose_text_has_moved_goes_on_alike(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = replace(candidate, corpus=bound(candidate.corpus, tmp_path))
    first = _worker(recorded, tmp_path)
    told = [first.step() for _ in range(3)]
    first.release()
    (tmp_path / "there").mkdir()
    for name in ("train.txt", "validation.txt"):
        (tmp_path / name).rename(tmp_path / "there" / name)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "another machine"))
    there = replace(recorded.corpus, train=("there/train.txt",), validation=(str(tmp_path / "there/validation.txt"),))
    again = _worker(recorded, tmp_path, corpus=there)
    assert again.step() == {**told[-1], "ready": True}
    assert again.step()["state"] == "complete"
    weights = tmp_path / "0007" / "model.safetensors"
    assert read_tensors(weights)[1]["candidate"] == recorded.to_dict(), "named as it is recorded"


def bound(corpus: CorpusConfig, base: Path) -> CorpusConfig:
    return replace(corpus, content=prepare_tokens(corpus, base=base).content)


def test_a_loss_that_explodes_is_reported_with_its_step(candidate: Candidate, tmp_path: Path) -> None:
    wild = replace(candidate, training=replace(candidate.training, learning_rate=1e30, clip=0.0))
    worker = _worker(wild, tmp_path)
    worker.step()
    report = worker.step()
    assert report["state"] == "failed" and "not finite at step" in report["error"]
    assert "not finite" in (tmp_path / "0007" / "log.txt").read_text()


def test_any_other_failure_is_one_line_with_the_traceback_in_the_log(candidate: Candidate, tmp_path: Path) -> None:
    other = replace(candidate, model=replace(candidate.model, vocab_size=100))  # fewer than the tokens have
    worker = _worker(other, tmp_path)
    worker.step()
    report = worker.step()
    assert report["state"] == "failed" and "IndexError" in report["error"] and "\n" not in report["error"]
    assert "Traceback" in (tmp_path / "0007" / "log.txt").read_text()


def test_a_file_that_cannot_be_written_halts_and_is_no_failure_of_the_trial(
    candidate: Candidate, tmp_path: Path
) -> None:
    worker = _worker(candidate, tmp_path)
    worker.step()
    shutil.rmtree(tmp_path / "0007" / "checkpoint")
    (tmp_path / "0007" / "checkpoint").write_text("in the way")
    report = worker.step()
    assert report["state"] == "halted" and "could not be read or written" in report["error"]


def test_a_failure_whose_log_line_cannot_be_written_halts_instead_of_raising(
    candidate: Candidate, tmp_path: Path
) -> None:
    """The log can be opened, and takes no line: /dev/full is a disk without room."""
    wild = replace(candidate, training=replace(candidate.training, learning_rate=1e30, clip=0.0))
    worker = _worker(wild, tmp_path)
    worker.step()
    log = tmp_path / "0007" / "log.txt"
    log.unlink()
    log.symlink_to("/dev/full")
    report = worker.step()
    assert report["state"] == "halted" and "No space left" in report["error"]


def test_a_trial_that_another_process_trains_is_said_to_be_so(candidate: Candidate, tmp_path: Path) -> None:
    late = TrialWorker(
        number=7, candidate=candidate, folder=tmp_path / "0007", base=tmp_path, device="cpu", lock_patience=0.1
    )
    with _lock_of_another_process(tmp_path):
        report = late.step()
    assert report["state"] == "halted"
    assert "another process is still training it" in report["error"] and "written" not in report["error"]
    assert late.step()["ready"]


def test_two_processes_never_train_one_trial(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, refused = _worker(candidate, tmp_path), []
    advance = Trainer.advance

    def advance_while_another_tries(trainer: Trainer, after_step: Callable[[], None]) -> Validation:
        with pytest.raises(TimeoutError):
            _lock_of_another_process(tmp_path).acquire(timeout=0)
        refused.append(trainer.step)
        return advance(trainer, after_step)

    monkeypatch.setattr(Trainer, "advance", advance_while_another_tries)
    worker.step()
    worker.step()
    assert refused == [0]


def test_between_its_steps_a_trial_can_be_resumed_in_another_process(candidate: Candidate, tmp_path: Path) -> None:
    """A worker is not told that its trial is paused, and keeps it until it gets another one."""
    alone = _worker(candidate, tmp_path, "alone")
    meant = [alone.step() for _ in range(1 + len(candidate.training.rungs))]
    first, second = _worker(candidate, tmp_path), _worker(candidate, tmp_path)
    for _ in range(3):
        first.step()
    second.step()
    reports = [second.step() for _ in range(len(candidate.training.rungs) - 2)]
    assert reports[-1]["state"] == "complete"
    assert [point["loss"] for point in reports[-1]["curve"]] == [point["loss"] for point in meant[-1]["curve"]]
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("alone", "0007")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def _lock_of_another_process(folder: Path) -> FileLock:
    return FileLock(folder / "0007" / "checkpoint" / ".lock", is_singleton=False)
