"""Fixtures for tests of models."""

from __future__ import annotations

import pytest
import torch
from support.small_models import CONFIGS, label

from msarch import ModelConfig

torch.set_num_threads(1)


@pytest.fixture(params=CONFIGS, ids=label)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    value: ModelConfig = request.param
    return value
