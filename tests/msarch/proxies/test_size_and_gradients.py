"""Parameters, compute, saliency and gradient norm: by their formulas, and by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_models import small, training_of, windows
from support.small_runs import token_set
from torch import nn

from msarch import Candidate, ModelConfig, build_model
from msarch.data.token_set import TokenSet
from msarch.layers.transformer_layer import FeedForward
from msarch.proxies import score as scoring
from msarch.proxies import score_candidate
from msarch.proxies.gradients import gradient_scores, saliency_scores
from msarch.training.loss import full_loss
from msarch.training.trainer import Trainer

D, T = 16, 48


def candidate(config: ModelConfig, seed: int = 0, batch_size: int = 4) -> Candidate:
    return Candidate(model=config, training=training_of(batch_size, tokens=4 * T), seed=seed)


@pytest.fixture
def tokens(tmp_path: Path) -> TokenSet:
    return token_set(tmp_path)


def test_parameters_are_those_of_the_published_formula(tokens: TokenSet) -> None:
    for layers in (1, 3):
        found = score_candidate(candidate(small("vanilla", f"{layers}@1")), tokens, ["parameters"])
        # GPT-2's, as LiteTransformerSearch counts them, and one norm more: of the token embeddings.
        layer = 4 * D * D + 4 * D + 2 * D * 4 * D + 4 * D + D + 4 * D
        assert found == {"parameters": layers * layer + 2 * D + 2 * D}


def test_compute_counts_a_layer_at_its_own_scale(tokens: TokenSet) -> None:
    def compute(layers: str) -> float:
        variant = "top_down" if " " in layers else "vanilla"
        return score_candidate(candidate(small(variant, layers)), tokens, ["compute"])["compute"]

    fine = 24 * D * D + 4 * D * (T + 1) / 2
    assert compute("1@1") == pytest.approx(fine)
    assert compute("3@1") == pytest.approx(3 * fine)
    # One more layer at a scale of 12 states runs 12 times, over 12 * 13 / 2 pairs.
    coarse = (12 * 24 * D * D + 4 * D * 12 * 13 / 2) / T
    assert compute("2@4 1@1") - compute("1@4 1@1") == pytest.approx(coarse)


def test_size_needs_no_model(tokens: TokenSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(scoring, "build_model")
    assert set(score_candidate(candidate(small("retina", "2@1", **windows(3))), tokens, ["parameters", "compute"])) == {
        "parameters",
        "compute",
    }


def test_saliency_is_weight_times_gradient_of_feed_forward_matrices() -> None:
    network = FeedForward(1)
    module = nn.ModuleList([network, nn.Linear(1, 1)])
    network.inner.weight.data = torch.tensor([[2.0], [-1.0], [0.0], [0.5]])
    network.out.weight.data = torch.tensor([[0.5, 4.0, 0.0, -1.0]])
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, -3.0)
    assert saliency_scores(module) == {"synaptic_saliency": 3 * 9.0, "synaptic_saliency_mean": 3 * 9.0 / 8}


def test_gradient_norm_leaves_out_embeddings() -> None:
    module = nn.ModuleList([nn.Embedding(3, 2), nn.Linear(2, 2), nn.LayerNorm(2)])
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    module[2].weight.grad = None  # the loss does not depend on it
    assert gradient_scores(module) == pytest.approx({"gradient_norm": math.sqrt(8 * 4), "gradient_rms": math.sqrt(3.2)})


def test_gradients_are_of_the_loss_of_the_first_batch(tokens: TokenSet) -> None:
    one = candidate(small("vanilla", "2@1"), seed=3)
    torch.manual_seed(3)
    model = build_model(one.model)
    starts = np.random.default_rng([3, 0]).integers(0, len(tokens.train) - T, size=4)
    windows = torch.tensor(np.stack([tokens.train[s : s + T + 1] for s in starts]).astype(np.int64))
    full_loss(model.features(windows[:, :-1]), model.readout_weight, windows[:, 1:]).backward()
    found = score_candidate(one, tokens, ["synaptic_saliency", "gradient_norm"])
    expected = {**saliency_scores(model), **gradient_scores(model)}
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-4)


def test_saliency_sees_the_coarse_layers_of_a_model_that_starts_without_them(tokens: TokenSet) -> None:
    """Top-down starts with a zero before its coarse stream, behind which every gradient is 0."""
    one = candidate(small("top_down", "1@4 1@1"))
    model = scoring._initial_model(one)
    trainer = Trainer(one, tokens)
    differ = {name for name, x in trainer.model.state_dict().items() if not torch.equal(x, model.state_dict()[name])}
    assert differ == {"conditions.1.coarse.weight"}
    few, many = (candidate(small("top_down", f"{layers}@4 1@1")) for layers in (1, 3))
    # What the coarse layers add is about what they are: with a zero, more of them would make it smaller.
    saliency = [score_candidate(each, tokens, ["synaptic_saliency"])["synaptic_saliency"] for each in (few, many)]
    assert saliency[1] > saliency[0]
