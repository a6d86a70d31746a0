"""How a search spent its tokens, and which options decided: on figures made by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from msarch import ModelConfig
from search.ledger.records import TrialRecord
from search.results.efficiency import hypervolume_growth, pruning, tokens_of
from search.results.front import hypervolume, reference_point
from search.results.importance import FEWEST, option_importance

OBJECTIVES = ("perplexity", "memory")
Maker = Callable[..., TrialRecord]


def test_the_hypervolume_grows_to_that_of_the_whole_search(make_records: Callable[..., list[TrialRecord]]) -> None:
    records = make_records(80, seed=2)
    corner = reference_point(records, OBJECTIVES, {})
    growth = hypervolume_growth(records, OBJECTIVES, corner)
    volumes = [volume for _, volume, _ in growth]
    assert growth[0][:2] == (0, 0.0) and volumes == sorted(volumes)
    assert volumes[-1] == pytest.approx(hypervolume(records, OBJECTIVES, reference=corner))
    trained = [record for record in records if record.state in ("complete", "pruned", "failed")]
    assert growth[-1][0] == sum(map(tokens_of, trained))


def test_what_the_pruner_saved_and_how_often_it_was_wrong(make_record: Maker) -> None:
    whole, half = make_record(0, 80, 50), make_record(1, 90, 60, state="pruned", loss=None)
    half = replace(half, curve=half.curve[:5])
    right, wrong = make_record(2, 85, 60, control_rung=1), make_record(3, 60, 70, control_rung=1)
    found = pruning([whole, half, right, wrong], OBJECTIVES)
    assert (found.pruned, found.controls, found.wrong) == (1, 2, 1)
    assert found.saved == pytest.approx(0.5 / 4)


def test_a_width_of_one_scale_alone_can_decide(make_record: Maker) -> None:
    records = []
    for number in range(60):
        record = make_record(number, 50, 50)
        width, rate = (128, 64)[number % 2], (1e-3, 2e-3, 4e-3)[number % 3]
        layers = f"2@4:{width} 2+{number // 2 % 2}ff@1"
        model = ModelConfig(variant="top_down", layers=layers, d_model=64, n_heads=2, vocab_size=256, context=64)
        training = replace(record.candidate.training, learning_rate=rate)
        candidate = replace(record.candidate, model=model, training=training)
        loss = 4 - model.width_at(4) / 100 + number / 1000
        records.append(replace(record, candidate=candidate, loss=loss, profile={"memory_bytes": 2**20}))
    shares = option_importance(records, OBJECTIVES)
    assert next(iter(shares)) == "widest scale / d_model" and "layers without attention" in shares
    assert "coarsest scale" not in shares, "it is the same in all"


def test_the_option_that_decides_is_found(make_record: Maker) -> None:
    draw = random.Random(0)
    records = []
    for number in range(60):
        record = make_record(number, 50, 50)
        rate = 10 ** draw.uniform(-4, -2)
        training = replace(record.candidate.training, learning_rate=rate, warmup=draw.choice([0.0, 0.1]))
        candidate = replace(record.candidate, training=training)
        loss = 4 + abs(rate - 10**-3) * 300
        records.append(replace(record, candidate=candidate, loss=loss, profile={"memory_bytes": 2**20}))
    shares = option_importance(records, OBJECTIVES)
    assert next(iter(shares)) == "learning_rate" and shares["learning_rate"] > 0.5
    assert sum(shares.values()) == pytest.approx(1)
    assert option_importance(records[: FEWEST - 1], OBJECTIVES) == {}


def test_heads_can_decide_where_they_do_not_follow_from_the_width(make_record: Maker) -> None:
    records = []
    for number in range(60):
        record = make_record(number, 50, 50)
        model = ModelConfig(
            variant="vanilla",
            layers="2@1",
            d_model=(32, 64)[number // 3 % 2],
            n_heads=(2, 4, 8)[number % 3],
            vocab_size=256,
            context=64,
        )
        candidate = replace(record.candidate, model=model)
        loss = 4 - model.n_heads / 10 + number / 1000
        records.append(replace(record, candidate=candidate, loss=loss, profile={"memory_bytes": 2**20}))
    assert next(iter(option_importance(records, OBJECTIVES))) == "n_heads"
