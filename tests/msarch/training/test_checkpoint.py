"""What a checkpoint holds of the machine that it was made on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from support.full_disk import SMALL, files_stay_small
from support.small_runs import candidate, token_set, trained, weights

from msarch.training.checkpoint import read_tensors, write_tensors
from msarch.training.file_names import FILE
from msarch.training.trainer import Trainer


def test_a_training_on_the_cpu_leaves_a_visible_gpu_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*arguments: object) -> torch.Tensor:
        raise AssertionError("the GPU was asked")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", touched)
    monkeypatch.setattr(torch.cuda, "set_rng_state", touched)
    trainer = Trainer(candidate(), token_set(tmp_path))
    trainer.advance()
    trainer.save(tmp_path)
    state, progress = read_tensors(tmp_path / FILE)
    assert "random.cpu" in state and "random.cuda" not in state
    # Earlier versions wrote the state of any GPU that was visible.
    write_tensors(tmp_path / FILE, state | {"random.cuda": torch.zeros(16, dtype=torch.uint8)}, progress)
    resumed = Trainer(candidate(), token_set(tmp_path))
    assert resumed.restore(tmp_path)
    assert torch.equal(weights(trained(resumed)), weights(trained(trainer)))


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with files_stay_small(), pytest.raises(OSError, match="File too large") as raised:
        write_tensors(tmp_path / FILE, {"a": torch.zeros(2 * SMALL)}, {})
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(tmp_path / FILE))
    assert list(tmp_path.iterdir()) == []
