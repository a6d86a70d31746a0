"""Records stay true: what an earlier version wrote down is read as what it was."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from support.small_models import small

from msarch import Candidate, ModelConfig, TrainingConfig, build_model
from msarch.config.candidate import ABSENT_MEANS

# As version 0.1 wrote it into a journal, but for what stands at its default.
RECORDED: dict[str, dict[str, Any]] = {
    "model": {
        "variant": "hourglass",
        "layers": "2@1 4@4 2@1",
        "d_model": 64,
        "n_heads": 2,
        "vocab_size": 256,
        "context": 256,
        "positions": "rotary",
        "upsampling": "linear",
    },
    "training": {"batch_size": 8},
}


def test_a_record_without_a_later_field_means_what_models_were_then() -> None:
    model = Candidate.from_dict(RECORDED).model
    assert (model.embedding_init, model.rotary_pairs) == ("gpt2", "halves")
    assert build_model(model).embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_a_record_that_says_it_means_what_it_says() -> None:
    model = {**RECORDED["model"], "embedding_init": "fan_in", "rotary_pairs": "adjacent"}
    candidate = Candidate.from_dict({**RECORDED, "model": model})
    assert (candidate.model.embedding_init, candidate.model.rotary_pairs) == ("fan_in", "adjacent")
    assert Candidate.from_dict(candidate.to_dict()) == candidate


@pytest.mark.parametrize("positions", ["learned", "alibi"])
def test_a_field_that_is_not_read_needs_no_meaning(positions: str) -> None:
    """How pairs are chosen says nothing where no vector is turned, so records of such models stay legal."""
    recorded = {**RECORDED, "model": {**RECORDED["model"], "positions": positions}}
    assert Candidate.from_dict(recorded).model.positions == positions


def test_digests_are_those_of_version_0_1() -> None:
    recorded = {**RECORDED, "model": {**RECORDED["model"], "upsampling": "repeat"}}
    assert Candidate.from_dict(recorded).digest() == "2550649d95f8e67a"
    learned = {"model": {**recorded["model"], "positions": "learned"}, "training": {"batch_size": 8}}
    assert Candidate.from_dict(learned).digest() == "06081da366c41a3a"


@pytest.mark.parametrize("layers", ["2@1 4@4 2@1", "2@1  04@4 2@1"])
def test_layers_without_widths_stay_as_they_were_written(layers: str) -> None:
    recorded = {**RECORDED, "model": {**RECORDED["model"], "layers": layers}}
    candidate = Candidate.from_dict(recorded)
    assert candidate.model.layers == candidate.to_dict()["model"]["layers"] == layers


def test_widths_and_layers_without_attention_come_back_as_they_were() -> None:
    recorded = {**RECORDED, "model": {**RECORDED["model"], "layers": "2+1ff@1 2+2ff@4:96 2@1"}}
    candidate = Candidate.from_dict(recorded)
    assert Candidate.from_dict(candidate.to_dict()) == candidate
    alike = replace(candidate, model=replace(candidate.model, layers="2+1ff@1:64 2+2ff@4:96 2+0ff@1"))
    assert alike == candidate and alike.digest() == candidate.digest() != Candidate.from_dict(RECORDED).digest()


def test_what_differs_has_another_digest() -> None:
    recorded = Candidate.from_dict(RECORDED)
    changed = [
        replace(recorded, model=replace(recorded.model, embedding_init="fan_in")),
        replace(recorded, model=replace(recorded.model, rotary_pairs="adjacent")),
    ]
    assert len({candidate.digest() for candidate in [recorded, *changed]}) == 3


OF_VERSION_0_1 = {
    "model": "variant layers d_model n_heads vocab_size context dropout positions parametrization base_width pool "
    "combine aggregation retina_factors retina_windows shortening upsampling",
    "training": "batch_size tokens learning_rate schedule warmup final_learning_rate weight_decay betas clip attention "
    "loss dtype optimizer checkpointing rungs validation_tokens",
}


@pytest.mark.parametrize(("part", "config"), [("model", ModelConfig), ("training", TrainingConfig)])
def test_every_later_field_says_what_its_absence_means(part: str, config: type) -> None:
    """Else older records would change with its default, and digests at once."""
    assert {item.name for item in fields(config)} - set(OF_VERSION_0_1[part].split()) == set(ABSENT_MEANS[part])


def test_every_meaning_is_of_a_field_and_legal() -> None:
    for name, value in ABSENT_MEANS["model"].items():
        assert getattr(small("vanilla", "1@1", positions="rotary", **{name: value}), name) == value


def start_of_embeddings(d_model: int, **options: Any) -> float:
    config = small("vanilla", "1@1", d_model=d_model, vocab_size=2000, **options)
    torch.manual_seed(0)
    return build_model(config).embedding.weight.std().item()


def test_embeddings_start_as_large_as_they_should() -> None:
    assert start_of_embeddings(64, embedding_init="gpt2") == pytest.approx(0.02, rel=0.02)
    assert start_of_embeddings(64, embedding_init="fan_in") == pytest.approx(1 / 8, rel=0.02)
    mup = {"parametrization": "mup", "base_width": 16, "embedding_init": "fan_in"}
    assert start_of_embeddings(64, **mup) == pytest.approx(1 / 4, rel=0.02)
    assert start_of_embeddings(16, **mup) == pytest.approx(1 / 4, rel=0.02)


def test_default_training_is_recorded_whole() -> None:
    model = ModelConfig(variant="vanilla", layers="1@1", d_model=8, n_heads=1, vocab_size=8, context=8)
    candidate = Candidate(model=model, training=TrainingConfig(batch_size=1))
    assert Candidate.from_dict(candidate.to_dict()) == candidate
