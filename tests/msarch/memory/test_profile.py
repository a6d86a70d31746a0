"""What a memory profile says beyond its peak: parts that add up, the place of the peak, the timeline, inference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.small_models import CONFIGS, label, small, training_of

from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.config.variants import VARIANTS
from msarch.memory import candidate_profile
from msarch.memory.candidate_profile import CandidateProfile, profile_candidate
from msarch.memory.inference import inference_memory
from msarch.memory.memory_profile import MemoryProfile
from msarch.memory.part_tracker import PartTracker
from msarch.memory.profile import count_training_step, profile_timeline, profile_training_step

SEVERAL = [max((c for c in CONFIGS if c.variant == name), key=lambda c: len(c.layers)) for name in VARIANTS]
several = pytest.mark.parametrize("config", SEVERAL, ids=label)


@several
def test_flops_are_known_of_the_forward_pass_and_of_the_whole_step(config: ModelConfig) -> None:
    plain, checkpointed = (
        profile_training_step(config, TrainingConfig(batch_size=3, checkpointing=checkpointing))
        for checkpointing in ("none", "block")
    )
    assert plain.flops == 3 * plain.flops_forward, "each product has two in the backward pass"
    assert checkpointed.flops_forward == plain.flops_forward
    assert plain.flops < checkpointed.flops < 4 * plain.flops_forward, "all but the readout runs a second time"


def test_flops_of_a_vanilla_model_are_those_of_the_closed_form() -> None:
    model, training = small("vanilla", "2@1"), TrainingConfig(batch_size=3)
    matrices = 2 * 12 * 16**2 + 16 * 61  # two layers, and the readout
    pairs = 2 * 48 * 49 // 2
    profile, figures = (
        profile_training_step(model, training),
        profile_candidate(Candidate(model=model, training=training)),
    )
    assert profile.flops_forward == 3 * (2 * 48 * matrices + 4 * 16 * pairs)
    assert figures["flops_per_token_forward"] == profile.flops_forward / (3 * 48)
    assert figures["flops_per_token"] == 3 * figures["flops_per_token_forward"]


@several
def test_a_candidate_is_profiled_with_checkpointing_too(config: ModelConfig) -> None:
    training = TrainingConfig(batch_size=3)
    figures = profile_candidate(Candidate(model=config, training=training))
    checkpointed = profile_training_step(config, replace(training, checkpointing="block"))
    assert figures["memory_checkpointed_bytes"] == checkpointed.peak_bytes <= figures["memory_bytes"]


def test_figures_are_computed_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped: list[TrainingConfig] = []

    def step(model: ModelConfig, training: TrainingConfig, *, device: str) -> MemoryProfile:
        stepped.append(training)
        return profile_training_step(model, training, device=device)

    monkeypatch.setattr(candidate_profile, "profile_training_step", step)
    candidate = Candidate(model=small("vanilla", "1@1"), training=TrainingConfig(batch_size=3))
    figures = CandidateProfile(candidate)
    assert figures["memory_bytes"] == profile_training_step(candidate.model, candidate.training).peak_bytes
    assert figures["parameters"] and figures["flops_per_token"] and figures["cache_bytes"]
    assert set(stepped) == {candidate.training}, "what was not read was not run"
    assert dict(figures) == profile_candidate(candidate)


@several
def test_the_same_parts_on_real_tensors(config: ModelConfig) -> None:
    training = TrainingConfig(batch_size=2)
    predicted, counted = profile_training_step(config, training), count_training_step(config, training)
    assert (predicted.parts, predicted.peak_layer) == (counted.parts, counted.peak_layer)


@pytest.mark.parametrize(
    ("config", "checkpointing"),
    [  # each variant in one of the two ways, in turn; in the other with `make test-slow`
        pytest.param(config, way, marks=[] if (row + column) % 2 else pytest.mark.slow, id=f"{label(config)} / {way}")
        for row, config in enumerate(SEVERAL)
        for column, way in enumerate(("none", "block"))
    ],
)
def test_telling_parts_apart_changes_no_byte(
    config: ModelConfig, checkpointing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hooks that follow the parts see gradients and outputs; they may not keep one alive."""
    training = TrainingConfig(batch_size=5, checkpointing=checkpointing)
    told = profile_timeline(config, training)
    monkeypatch.setattr(PartTracker, "_leave", lambda self, path, output: None)
    monkeypatch.setattr(PartTracker, "_enter", lambda self, path: None)
    monkeypatch.setattr("msarch.memory.breakdown.Breakdown._part", lambda self, path: self._log.parts["loss"])
    assert (told.live.sum(axis=1) == profile_timeline(config, training).live.sum(axis=1)).all()


@pytest.mark.parametrize("combine", ["concat", "add"])
def test_the_norms_of_a_top_down_model_stand_where_they_run(combine: Any) -> None:
    """Its streams are called in two halves, norm and positions: what meets the coarser stream stands between them."""
    profile = profile_training_step(small("top_down", "1@4 2@1", combine=combine), TrainingConfig(batch_size=8))
    before = ["tokens", "embedding", "pools @4", "streams @4", "layer 1 @4", "streams @1", "conditions @1"]
    assert list(profile.by_layer) == [*before, "layer 2 @1", "layer 3 @1", "final_norm", "loss"]
    kept = {part.layer: part.size for part in profile.parts if part.kind == "activations"}
    assert kept["streams @1"] > kept["streams @4"] > 0


def test_the_parameters_of_a_layer_stand_with_the_layer() -> None:
    config = small("hourglass", "1@1 2@4 1@1")
    profile = profile_training_step(config, TrainingConfig(batch_size=2))
    of_layers = [part.size for part in profile.parts if part.kind == "parameters" and "layer" in part.layer]
    assert of_layers == [4 * (12 * 16**2 + 13 * 16)] * 4
    assert sum(part.size for part in profile.parts if part.kind == "parameters") == 4 * profile.parameter_count


def test_activations_stand_at_the_scale_that_made_them() -> None:
    """A layer at a quarter of the positions keeps a quarter of the bytes."""
    profile = profile_training_step(small("top_down", "2@4 2@1"), TrainingConfig(batch_size=8))
    kept = {part.layer: part.size for part in profile.parts if part.kind == "activations"}
    assert kept["layer 1 @4"] == pytest.approx(kept["layer 3 @1"] / 4, rel=0.01)


@several
def test_the_timeline_rises_to_the_peak_and_passes_through_all_phases(config: ModelConfig) -> None:
    training = TrainingConfig(batch_size=3)
    timeline, profile = profile_timeline(config, training), profile_training_step(config, training)
    totals = timeline.live.sum(axis=1)
    assert totals.max() == totals[timeline.peak] == profile.peak_bytes
    assert dict(zip(profile.by_kind, timeline.live[timeline.peak].tolist(), strict=True)) == profile.by_kind
    assert (timeline.layers[timeline.peak], timeline.phases[timeline.peak]) == (profile.peak_layer, profile.peak_phase)
    assert list(dict.fromkeys(timeline.phases)) == ["forward", "loss", "backward", "optimizer"]
    assert (timeline.live >= 0).all() and "" not in timeline.layers


def test_leaving_out_equal_chunks_of_the_loss_changes_no_byte() -> None:
    config = small("vanilla", "1@1", vocab_size=9000)
    for batch, dtype in ((14, "float32"), (17, "bfloat16")):
        training = training_of(batch, dtype=dtype)
        assert profile_training_step(config, training).parts == count_training_step(config, training).parts


def test_a_second_profile_of_the_same_candidate_is_the_first_one() -> None:
    config, training = small("vanilla", "2@1"), TrainingConfig(batch_size=2)
    again = replace(training, learning_rate=1e-2, tokens=5_000_000)
    assert profile_training_step(replace(config), again) is profile_training_step(config, training)


def test_the_cache_of_generation_and_its_mean() -> None:
    config = small("top_down", "1@4 2@1")
    between = 4 * 16 * (3 + 1)  # three states of a running block, and the last coarse one
    held = [2 * 16 * 4 * (length // 4 + 2 * length) + between for length in range(1, 49)]
    memory = inference_memory(config, TrainingConfig(batch_size=1))
    assert (memory.cache_bytes, memory.cache_bytes_per_token) == (held[-1], held[-1] / 48)
    assert memory.cache_bytes_mean == pytest.approx(sum(held) / 48)
    wide = inference_memory(replace(config, layers="1@4:48 2@1"), TrainingConfig(batch_size=1))
    assert wide.cache_bytes == 2 * 4 * (48 * 12 + 16 * 2 * 48) + between
    halves = inference_memory(config, TrainingConfig(batch_size=1, dtype="bfloat16"))
    assert (halves.cache_bytes * 2, halves.weights_bytes * 2) == (memory.cache_bytes, memory.weights_bytes)
    assert (halves.dtype, memory.dtype) == ("bfloat16", "float32")
    long = inference_memory(replace(config, context=5000), TrainingConfig(batch_size=1))
    assert long.cache_bytes_mean == pytest.approx(long.cache_bytes / 2, rel=0.01)
