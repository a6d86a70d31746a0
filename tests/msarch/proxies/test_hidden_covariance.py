"""Hidden covariance: eigenvalues known by hand, and the layers that are looked at."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.small_models import small

from msarch import ModelConfig, build_model
from msarch.proxies.hidden_covariance import HiddenCovariance, correlation, covariance_score

D = 16


def inputs_of(config: ModelConfig, sequences: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(config.vocab_size, (sequences, config.context), generator=generator)


def orthogonal(states: int = 8, units: int = 4) -> torch.Tensor:
    """Columns of a Hadamard matrix but the constant one: without any correlation."""
    two = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    return torch.kron(torch.kron(two, two), two)[:states, 1 : units + 1]


def score_of(*eigenvalues: float) -> float:
    return -sum(math.log(e + 1e-5) + 1 / (e + 1e-5) for e in eigenvalues)


def test_covariance_score_follows_from_the_eigenvalues() -> None:
    x = orthogonal()
    assert covariance_score(x) == pytest.approx(score_of(1, 1, 1, 1), rel=1e-9)
    half = x.clone()
    half[:, 1] = x[:, 0] / 2 + x[:, 1] * math.sqrt(3) / 2
    assert covariance_score(half) == pytest.approx(score_of(1.5, 0.5, 1, 1), rel=1e-5)
    same = x.clone()
    same[:, 1] = -3 * x[:, 0]
    assert covariance_score(same) == pytest.approx(score_of(2, 0, 1, 1), rel=1e-5)
    assert covariance_score(x) > covariance_score(half) > covariance_score(same)


def test_covariance_score_knows_neither_scale_nor_mean_of_a_unit() -> None:
    x = torch.randn(200, 6, dtype=torch.float64)
    moved = x * torch.tensor([1e-3, 1, 5, -2, 7, 100]) + torch.arange(6)
    assert covariance_score(moved) == pytest.approx(covariance_score(x), rel=1e-9)


def test_a_constant_unit_is_correlated_with_nothing() -> None:
    x = orthogonal()
    x[:, 2] = 5
    assert torch.equal(correlation(x).diagonal().round(), torch.tensor([1.0, 1, 0, 1], dtype=torch.float64))
    assert covariance_score(x) == pytest.approx(score_of(1, 1, 0, 1), rel=1e-5)


def test_hidden_covariance_is_of_each_layers_output() -> None:
    model = build_model(small("hourglass", "1@1 1@4 1@1"))
    inputs, outputs = inputs_of(model.config, 4), []
    for name in ("stacks.1", "stacks.4", "post.1"):
        stack = model.get_submodule(name)
        stack.register_forward_hook(lambda module, args, out: outputs.append(out.detach().flatten(0, 1)))
    with HiddenCovariance(model) as watcher:
        model.features(inputs)
    expected = np.mean([covariance_score(out) for out in outputs])
    assert len(outputs) == 3
    assert watcher.scores() == pytest.approx({"hidden_covariance": expected, "hidden_covariance_mean": expected / D})


def test_layers_with_too_few_states_are_left_out() -> None:
    model = build_model(small("top_down", "1@16 1@1"))
    with HiddenCovariance(model) as watcher:
        model.features(inputs_of(model.config, 2))
    fine: list[torch.Tensor] = []
    model.get_submodule("stacks.1").register_forward_hook(
        lambda module, args, out: fine.append(out.detach().flatten(0, 1))
    )
    model.features(inputs_of(model.config, 2))
    assert watcher.scores()["hidden_covariance"] == pytest.approx(covariance_score(fine[0]))
    with HiddenCovariance(model) as watcher:
        model.features(inputs_of(model.config, 2)[:, :15])
    assert all(map(math.isnan, watcher.scores().values()))
