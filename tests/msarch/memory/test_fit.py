"""What fits: N does, the next size does not, by profiles of both."""

from __future__ import annotations

import itertools
from typing import Literal, get_args

import pytest
from support.small_models import CONFIGS, label, small

from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.config.variants import VARIANTS
from msarch.memory.fit import LARGEST, Dimension, largest_that_fits, resized
from msarch.memory.profile import profile_training_step

MIB = 2**20
Way = Literal["none", "block"]
MULTISCALE = [config for config in CONFIGS if config.layers in ("3@1", "2@4 1@1", "1@1 1@4 1@1", "1@1 2@4 1@1")]


def needs(candidate: Candidate, dimension: Dimension, size: int, checkpointing: Way) -> int:
    at = resized(candidate, dimension, size)
    training = TrainingConfig(batch_size=at.training.batch_size, checkpointing=checkpointing)
    return profile_training_step(at.model, training).peak_bytes


FIRST = [c for name in VARIANTS for c in [c for c in MULTISCALE if c.variant == name][:2]]

# Each model meets each dimension once, and each way of checkpointing; one of the two with `make test-slow` only, and
# both where it is not one of the first two of its variant.
WAYS = list(itertools.product(get_args(Way), get_args(Dimension)))
CASES = [
    pytest.param(
        config,
        *WAYS[at],
        marks=[] if config in FIRST and (at < 2) == (number % 4 < 2) else pytest.mark.slow,
        id=f"{label(config)} / {' '.join(WAYS[at])}",
    )
    for number, config in enumerate(MULTISCALE)
    for at in (number % 2, 3 - number % 2)
]


@pytest.mark.parametrize(("config", "checkpointing", "dimension"), CASES)
def test_what_fits_fits_and_the_next_size_does_not(
    config: ModelConfig, checkpointing: Way, dimension: Dimension
) -> None:
    candidate = Candidate(model=config, training=TrainingConfig(batch_size=4))
    tried: list[int] = []
    fit = largest_that_fits(candidate, 8 * MIB, dimension, checkpointing, tried=tried.append)
    assert fit.step == (max(config.scales) if dimension == "context" else 1) and fit.size % fit.step == 0
    assert fit.memory_bytes == needs(candidate, dimension, fit.size, checkpointing) <= 8 * MIB
    assert needs(candidate, dimension, fit.size + fit.step, checkpointing) > 8 * MIB
    assert {fit.size, fit.size + fit.step} <= set(tried) and len(tried) <= 12


def test_where_nothing_fits_it_says_what_the_least_would_need() -> None:
    candidate = Candidate(model=small("vanilla", "3@1"), training=TrainingConfig(batch_size=64))
    fit = largest_that_fits(candidate, 1000, "batch_size", "none")
    assert (fit.size, fit.memory_bytes) == (0, needs(candidate, "batch_size", 1, "none"))


def test_the_search_ends_at_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LARGEST, "batch_size", 50)
    candidate = Candidate(model=small("vanilla", "1@1"), training=TrainingConfig(batch_size=4))
    fit = largest_that_fits(candidate, 2**40, "batch_size", "none")
    assert (fit.size, fit.capped) == (50, True)
