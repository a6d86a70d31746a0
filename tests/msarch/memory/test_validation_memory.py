"""The memory of a validation: what it depends on, and that it is not counted again where nothing of that differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.small_models import small

from msarch import TrainingConfig
from msarch.memory import validation_memory
from msarch.memory.validation_memory import profile_validation
from msarch.models.build import model_class

MODEL = small("vanilla", "1@1", context=40)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The variants of the models that are built from now on, one for each profile that is not in the cache."""
    names: list[str] = []
    real = model_class

    def noting(name: str) -> object:
        names.append(name)
        return real(name)

    monkeypatch.setattr(validation_memory, "model_class", noting)
    return names


def test_one_profile_serves_all_that_decides_no_memory(built: list[str]) -> None:
    training = TrainingConfig(batch_size=3)
    first = profile_validation(MODEL, training)
    for rate in (1e-4, 1e-3, 1e-2):
        assert profile_validation(MODEL, replace(training, learning_rate=rate, tokens=5_000_000)) == first
    changes: list[dict[str, Any]] = [
        {"checkpointing": "block"},
        {"clip": 0.0},
        {"schedule": "wsd"},
        {"weight_decay": 0.0},
    ]
    for change in changes:
        assert profile_validation(MODEL, replace(training, **change)) == first
    assert len(built) == 1


def test_what_decides_memory_is_profiled_anew(built: list[str]) -> None:
    training = TrainingConfig(batch_size=5)
    changes: list[dict[str, Any]] = [
        {},
        {"batch_size": 7},
        {"attention": "unfused"},
        {"loss": "full"},
        {"dtype": "bfloat16"},
    ]
    for change in changes:
        profile_validation(MODEL, replace(training, **change))
    assert len(built) == len(changes)


def test_every_name_of_a_gpu_means_the_same_profile(built: list[str]) -> None:
    training = TrainingConfig(batch_size=2)
    assert profile_validation(MODEL, training, device="cuda") == profile_validation(MODEL, training, device="cuda:1")
    assert len(built) == 1
