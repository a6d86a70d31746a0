"""A trial's cap on the GPU's allocator, with a stand-in for `torch.cuda`; and what a trial tells that ran out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.memory.profile import profile_training_step
from msarch.memory.validation_memory import profile_validation
from search.run.ray.memory_cap import CONTEXT, EXTRA, MARGIN, MemoryCap, cap_of, tried_bytes
from search.run.ray.worker import TrialWorker


class Cuda:
    """Remembers the cap, and what was asked of it in which order."""

    def __init__(self, total: int) -> None:
        self.total, self.fraction = total, 1.0
        self.calls: list[str] = []

    def get_device_properties(self, device: int) -> Any:
        return SimpleNamespace(total_memory=self.total)

    def set_per_process_memory_fraction(self, fraction: float) -> None:
        self.fraction = fraction
        self.calls.append("put" if fraction < 1 else "lift")

    def empty_cache(self) -> None:
        self.calls.append("empty")


@pytest.fixture
def candidate(corpus: CorpusConfig) -> Candidate:
    model = ModelConfig(variant="vanilla", layers="1@1", d_model=16, n_heads=1, vocab_size=258, context=32)
    training = TrainingConfig(batch_size=4, tokens=2_000, rungs=(0.5, 1.0), validation_tokens=300)
    return Candidate(model=model, training=training, corpus=corpus)


def _worker(candidate: Candidate, tmp_path: Path, cuda: Cuda) -> TrialWorker:
    cap = MemoryCap(cuda)
    return TrialWorker(number=0, candidate=candidate, folder=tmp_path / "0", base=tmp_path, device="cpu", cap=cap)


def test_the_cap_leaves_room_for_a_step_and_for_a_validation(candidate: Candidate) -> None:
    full = replace(candidate, training=replace(candidate.training, loss="full", checkpointing="block"))
    for each in (candidate, full):
        step = profile_training_step(each.model, each.training, device="cuda").peak_bytes
        validation = profile_validation(each.model, each.training, device="cuda")
        assert cap_of(each) == round(max(step, validation) * (1 + MARGIN)) + EXTRA


def test_a_validation_may_need_more_than_a_step() -> None:
    """Without this case the cap would need no validation."""
    model = ModelConfig(variant="vanilla", layers="1@1", d_model=16, n_heads=1, vocab_size=4096, context=128)
    training = TrainingConfig(batch_size=8, loss="full", checkpointing="block")
    assert profile_validation(model, training) > profile_training_step(model, training).peak_bytes


def test_it_is_put_on_for_the_training_alone_and_lifted_for_the_next_trial(
    candidate: Candidate, tmp_path: Path
) -> None:
    cuda = Cuda(total=10 * cap_of(candidate))
    worker = _worker(candidate, tmp_path, cuda)
    assert worker.step()["ready"]
    assert worker.step()["state"] == "running"
    assert cuda.fraction == pytest.approx(0.1) and cuda.calls[-1] == "put"
    assert cuda.calls.index("lift") < cuda.calls.index("put"), "what another trial left is lifted first"
    assert worker.step()["state"] == "complete"
    assert cuda.fraction == 1.0 and cuda.calls[-2:] == ["empty", "lift"]


def test_a_gpu_smaller_than_the_cap_is_not_capped(candidate: Candidate) -> None:
    cuda = Cuda(total=1000)
    MemoryCap(cuda).put(cap_of(candidate))
    assert cuda.fraction == 1.0


def test_trials_that_share_a_gpu_keep_to_their_shares(candidate: Candidate, tmp_path: Path) -> None:
    """A model that is predicted to need more may take its share alone; what another trial was promised stays free."""
    needed = cap_of(candidate)
    small, large = Cuda(total=2 * needed), Cuda(total=100 * (needed + CONTEXT))
    for cuda, share in ((small, 0.25), (large, 0.25)):
        MemoryCap(cuda, share).put(needed)
    assert small.fraction * small.total == pytest.approx(0.5 * needed - min(CONTEXT, 0.25 * needed), rel=0.01)
    assert large.fraction * large.total == pytest.approx(needed)
    MemoryCap(large, 0.25).lift()
    assert large.fraction * large.total == pytest.approx(0.25 * large.total - CONTEXT)


def test_a_trial_that_runs_out_of_its_share_says_how_much_that_was(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_step(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1")

    monkeypatch.setattr("msarch.training.trainer.training_step", training_step)
    cap = MemoryCap(Cuda(total=2 * CONTEXT), 0.25)
    worker = TrialWorker(
        number=0, candidate=candidate, folder=tmp_path / "0", base=tmp_path, device="cpu", gpu_share=0.25, cap=cap
    )
    worker.step()
    assert worker.step()["memory_cap_bytes"] == CONTEXT // 4


def test_memory_that_runs_out_is_reported_as_infeasible(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_step(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1")

    monkeypatch.setattr("msarch.training.trainer.training_step", training_step)
    cuda = Cuda(total=10 * cap_of(candidate))
    worker = _worker(candidate, tmp_path, cuda)
    assert worker.step()["ready"], "the model is built before its training is capped"
    report = worker.step()
    assert report["state"] == "infeasible" and report["curve"] == []
    assert report["memory_measured_bytes"] == 20 * 2**20 and report["memory_cap_bytes"] == cap_of(candidate)
    assert "OutOfMemoryError" in (tmp_path / "0" / "log.txt").read_text()
    assert cuda.fraction == 1.0


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has", 2.5 * 2**30),
        ("Tried to allocate 512 bytes", 512),
        ("out of memory", 0),
    ],
)
def test_what_did_not_fit_is_read_from_the_error(text: str, size: float) -> None:
    assert tried_bytes(torch.OutOfMemoryError(text)) == size


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU: none here, the real cap is not tried")
def test_a_real_gpu_keeps_a_trial_within_its_cap_and_refuses_more(candidate: Candidate, tmp_path: Path) -> None:
    worker = TrialWorker(number=0, candidate=candidate, folder=tmp_path / "0", base=tmp_path, device="cuda")
    assert worker.step()["ready"]
    assert worker.step()["state"] == "running"
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(cap_of(candidate), dtype=torch.uint8, device="cuda")
    last = worker.step()
    assert last["state"] == "complete" and 0 < last["memory_measured_bytes"] < cap_of(candidate)
