"""Scores of every variant: the same for the same seed, and without any change to a model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.small_models import small, training_of, windows
from support.small_runs import token_set

from msarch import Candidate, ModelConfig, UserError, build_model
from msarch.data.token_set import TokenSet
from msarch.proxies import PROXIES, score_candidate
from msarch.proxies.attention_confidence import AttentionConfidence
from msarch.proxies.hidden_covariance import HiddenCovariance

D, T = 16, 48


def candidate(config: ModelConfig, seed: int = 0, batch_size: int = 4) -> Candidate:
    return Candidate(model=config, training=training_of(batch_size, tokens=4 * T), seed=seed)


@pytest.fixture
def tokens(tmp_path: Path) -> TokenSet:
    return token_set(tmp_path)


def inputs_of(config: ModelConfig, sequences: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(config.vocab_size, (sequences, config.context), generator=generator)


VARIANTS = [
    small("vanilla", "2@1", positions="rotary"),
    small("top_down", "1@4 1@1", dropout=0.3),
    small("bottom_up", "1@1 1@4 1@1"),
    small("retina", "2@1", **windows(3)),
    small("hourglass", "1@1 1@4 1@1", positions="alibi"),
    small("spacebyte", "1@1 1@4 1@1", vocab_size=256),
    small("top_down", "1@4:32 1@1"),
]


@pytest.mark.parametrize("config", VARIANTS, ids=lambda config: f"{config.variant} {config.layers}")
def test_the_same_seed_has_the_same_scores(config: ModelConfig, tmp_path: Path) -> None:
    tokens = token_set(tmp_path, config.vocab_size)
    found = score_candidate(candidate(config), tokens)
    state = torch.get_rng_state()
    assert score_candidate(candidate(config), tokens) == found
    assert torch.equal(torch.get_rng_state(), state)
    assert list(found) == list(PROXIES) and all(map(math.isfinite, found.values()))
    other = score_candidate(candidate(config, seed=1), tokens)
    same = {name for name in PROXIES if other[name] == found[name]}
    assert same == {name for name, proxy in PROXIES.items() if proxy.needs == "profile"}


def test_watching_changes_no_bit(config: ModelConfig) -> None:
    torch.manual_seed(0)
    model, inputs = build_model(config).eval(), inputs_of(config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    alone = model.features(inputs)
    with AttentionConfidence(model) as confidence, HiddenCovariance(model):
        watched = model.features(inputs)
    assert 0 < confidence.scores()["attention_confidence_mean"] < 1
    assert torch.equal(watched, alone)
    assert torch.equal(model.features(inputs), alone)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_how_it_would_be_trained_plays_no_part(tokens: TokenSet) -> None:
    plain = candidate(small("top_down", "1@4 1@1"))
    training = replace(plain.training, learning_rate=0.5, dtype="bfloat16", attention="unfused", checkpointing="block")
    assert score_candidate(replace(plain, training=training), tokens) == score_candidate(plain, tokens)


def test_each_score_alone_is_as_among_all(tokens: TokenSet) -> None:
    one = candidate(small("vanilla", "1@1"))
    found = score_candidate(one, tokens)
    assert all(score_candidate(one, tokens, [name]) == {name: found[name]} for name in PROXIES)


def test_an_unknown_score_is_refused(tokens: TokenSet) -> None:
    with pytest.raises(UserError, match="unknown proxy 'gradient_nrom', did you mean 'gradient_norm'"):
        score_candidate(candidate(small("vanilla", "1@1")), tokens, ["gradient_nrom"])
