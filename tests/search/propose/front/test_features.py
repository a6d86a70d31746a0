"""Architectures as numbers between 0 and 1."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig
from search.propose.front.features import Encoder, Feature, features


def candidate(layers: str, variant: str = "top_down", rate: float = 1e-3, width: int = 64) -> Candidate:
    return Candidate(
        model=ModelConfig(variant=variant, layers=layers, d_model=width, n_heads=4, vocab_size=256, context=64),
        training=TrainingConfig(batch_size=8, tokens=100_000, learning_rate=rate),
        corpus=CorpusConfig(source="python-docs", tokenizer=TokenizerConfig(kind="bytes")),
        seed=0,
    )


def test_layers_are_counted_by_scale() -> None:
    found = features(candidate("3@4 2@1"), {"parameters": 1000})
    assert found["layers at 4"] == math.log1p(3)
    assert found["layers at 1"] == found["fine layers"] == math.log1p(2)
    assert found["depth"] == math.log1p(5)
    assert found["parameters"] == math.log(1000)


def test_widths_of_scales_and_layers_without_attention_count_where_they_differ() -> None:
    plain, wide = features(candidate("3@4 2@1"), {}), features(candidate("3@4:128 1+1ff@1"), {})
    assert (plain["width at 4"], wide["width at 4"]) == (0, math.log(2))
    assert (plain["layers without attention"], wide["layers without attention"]) == (0, math.log(2))
    assert Encoder([plain, plain]).width == 0


def test_every_option_counts_that_differs_and_no_other() -> None:
    seen = [
        features(candidate(layers, variant, rate), {})
        for layers, variant, rate in (("2@4 1@1", "top_down", 1e-3), ("1@1", "vanilla", 1e-2), ("2@1", "vanilla", 3e-3))
    ]
    encoder = Encoder(seen)
    matrix = encoder.matrix(seen)
    assert matrix.shape == (3, encoder.width)
    assert matrix.min() == 0 and matrix.max() == 1
    assert all(len(np.unique(column)) > 1 for column in matrix.T)
    assert any(column == pytest.approx([0, 1, math.log(3) / math.log(10)]) for column in matrix.T)  # learning rates


def test_another_label_is_as_far_as_the_other_end_of_a_number() -> None:
    """Though it changes two columns."""
    seen: list[dict[str, Feature]] = [
        {"rate": rate, "variant": variant} for rate, variant in ((0.1, "top_down"), (0.4, "top_down"), (0.1, "retina"))
    ]
    rows = Encoder(seen).matrix(seen)
    assert np.linalg.norm(rows[0] - rows[1]) == pytest.approx(np.linalg.norm(rows[0] - rows[2]))


def test_a_design_outside_of_what_was_seen_is_still_encoded() -> None:
    encoder = Encoder([features(candidate("1@1", "vanilla"), {}), features(candidate("3@1", "vanilla"), {})])
    (row,) = encoder.matrix([features(candidate("6@1", "vanilla"), {})])
    assert row.max() > 1


def test_what_says_how_a_model_is_trained_comes_first() -> None:
    seen = [
        features(candidate("1@1", "vanilla", rate, width), {}) for rate, width in ((1e-3, 64), (2e-3, 64), (2e-3, 32))
    ]
    encoder = Encoder(seen)
    assert encoder.training == 2 and encoder.width == 3
    rates, products, widths = encoder.matrix(seen).T
    assert rates == pytest.approx([0, 1, 1])
    assert products == pytest.approx([0, 1, 0])  # twice the rate at half of the width
    assert widths == pytest.approx([1, 1, 0])


def test_a_text_says_how_a_model_is_trained_too() -> None:
    plain = candidate("1@1", "vanilla")
    seen = [features(replace(plain, training=replace(plain.training, schedule=one)), {}) for one in ("wsd", "cosine")]
    assert Encoder(seen).training == Encoder(seen).width == 2
