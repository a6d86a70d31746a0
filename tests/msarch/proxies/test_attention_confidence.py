"""Attention confidence: keys counted by hand where nothing is preferred, and softmax written out."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from support.small_models import small, windows
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from msarch import ModelConfig, build_model
from msarch.layers.attention import SelfAttention
from msarch.layers.positions import Positions
from msarch.models.language_model import LanguageModel
from msarch.proxies.attention_confidence import AttentionConfidence, largest_weights

D, T = 16, 48


def inputs_of(config: ModelConfig, sequences: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(config.vocab_size, (sequences, config.context), generator=generator)


def confidence(model: LanguageModel) -> dict[str, float]:
    watcher = AttentionConfidence(model)
    with watcher, torch.no_grad():
        model.features(inputs_of(model.config))
    return watcher.scores()


def without_preference(config: ModelConfig) -> LanguageModel:
    """All queries are 0: attention weighs all keys that it sees alike."""
    model = build_model(config)
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[0].endswith(("qkv", ".q")):
            parameter.data[: config.d_model] = 0
    return model


def mean_inverse(counts: list[int]) -> float:
    return float(np.mean([1 / count for count in counts]))


OWN = {factor: mean_inverse(list(range(1, T // factor + 1))) for factor in (1, 4)}
COMPLETE = [1 + (t + 1) // 4 for t in range(T)]  # the null state, and each block complete at token t


def retina_counts() -> list[int]:
    # Blocks of 4 up to the last multiple of 4 that leaves 3 tokens or more, then single tokens.
    return [(t + 1 - 4 * (max(0, t - 2) // 4)) + max(0, t - 2) // 4 for t in range(T)]


@pytest.mark.parametrize(
    ("config", "by_attention"),
    [
        (small("vanilla", "2@1"), [OWN[1]] * 2),
        (small("vanilla", "1@1", positions="rotary"), [OWN[1]]),
        (small("retina", "2@1", **windows(3)), [mean_inverse(retina_counts())] * 2),
        (small("top_down", "2@4 1@1"), [OWN[4], OWN[4], OWN[1]]),
        (small("top_down", "1@4 1@1", pool="attention"), [1 / 4, OWN[4], OWN[1]]),
        (small("bottom_up", "1@1 1@4 1@1"), [OWN[1], OWN[4], mean_inverse(COMPLETE), OWN[1]]),
        (small("bottom_up", "1@1 1@4 1@1", aggregation="aligned"), [OWN[1], OWN[4], 1 / 2, OWN[1]]),
        (small("hourglass", "1@1 1@4 1@1"), [OWN[1], OWN[4], OWN[1]]),
        (
            small("hourglass", "1@1 1@4 1@1", upsampling="attention"),
            [OWN[1], OWN[4], mean_inverse(COMPLETE), OWN[1]],
        ),
        (small("spacebyte", "1@1 1@4 1@1", vocab_size=256), [OWN[1], OWN[4], OWN[1]]),
    ],
    ids=lambda value: f"{value.variant} {value.layers}" if isinstance(value, ModelConfig) else "",
)
def test_without_preference_confidence_counts_keys(config: ModelConfig, by_attention: list[float]) -> None:
    found = confidence(without_preference(config))
    assert found["attention_confidence"] == pytest.approx(sum(by_attention), rel=1e-5)
    assert found["attention_confidence_mean"] == pytest.approx(np.mean(by_attention), rel=1e-5)


def test_confidence_is_computed_from_queries_and_keys_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msarch.proxies.attention_confidence._SCORES", 2 * 3 * 11 * 4)  # 4 rows of 9 at a time
    q, k = torch.randn(2, 3, 9, 8), torch.randn(2, 3, 11, 8)
    seen = torch.rand(9, 11) < 0.5
    seen[:, 0] = True
    scores = q @ k.mT / math.sqrt(8)
    weights = scores.masked_fill(~seen, -math.inf).softmax(dim=-1)
    torch.testing.assert_close(largest_weights(q, k, k, seen[None, None]), weights.amax(dim=-1))
    bias = torch.randn(3, 9, 11)
    weights = (scores + bias).softmax(dim=-1)
    torch.testing.assert_close(largest_weights(q, k, k, attn_mask=bias[None]), weights.amax(dim=-1))


def test_confidence_grows_with_the_scores_up_to_one() -> None:
    layer = SelfAttention(D, 2, Positions("alibi", 2, 1))
    torch.manual_seed(0)
    states, found = torch.randn(3, 20, D), []
    for scale in (1.0, 4.0, 1e4):
        with torch.no_grad():
            scaled = copy.deepcopy(layer)
            scaled.qkv.weight[:D] *= scale
            with AttentionConfidence(scaled) as watcher:
                scaled(states)
        found.append(watcher.scores()["attention_confidence"])
    assert found[0] < found[1] < found[2] and found[2] == pytest.approx(1, abs=1e-3)


def test_a_model_without_attention_has_no_confidence() -> None:
    with AttentionConfidence(nn.Linear(2, 2)) as watcher:
        pass
    assert watcher.scores() == {"attention_confidence": 0, "attention_confidence_mean": 0}


def test_a_failure_inside_leaves_nothing_behind() -> None:
    model = build_model(small("vanilla", "1@1"))
    with pytest.raises(ValueError, match="exceed the context"), AttentionConfidence(model) as watcher:
        model.features(inputs_of(model.config).repeat(1, 2))
    assert not watcher._running and not model._forward_hooks
    q = torch.randn(1, 1, 2, 4)
    assert scaled_dot_product_attention(q, q, q).shape == q.shape
