"""What a model computes, as it is read off the model: every run of layers, in order, and where streams meet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest
import torch
from support.small_models import covering_configs, small, windows
from torch import Tensor

from msarch import ModelConfig
from msarch.models.structure import TOKENS, StreamInput, Structure, trace_structure
from msarch.models.top_down import Projection


def sources(structure: Structure) -> list[list[int]]:
    """What each run, and at last the logits, are made of."""
    return [[read.source for read in reads] for reads in (*(run.inputs for run in structure.runs), structure.readout)]


@covering_configs
def test_runs_are_the_stages_in_the_order_of_computation(config: ModelConfig) -> None:
    structure = trace_structure(config)
    runs = groupby((run for run in structure.runs if run.layers), key=lambda run: run.factor)
    layers = [(sum(run.layers for run in same), factor) for factor, same in runs]
    assert layers == [(stage.layers, stage.factor) for stage in config.stages if stage.layers]
    assert all(run.states == config.context // run.factor for run in structure.runs)


@covering_configs
def test_every_run_is_of_use(config: ModelConfig) -> None:
    """It reads something earlier, and something later reads it."""
    structure = trace_structure(config)
    read = {source for reads in sources(structure) for source in reads}
    assert read >= set(range(TOKENS, len(structure.runs)))
    assert all(reads and max(reads) < number for number, reads in enumerate(sources(structure)))


def test_top_down_meets_tokens_and_the_next_coarser_scale() -> None:
    structure = trace_structure(small("top_down", "1@16 2@4 1@1"))
    assert sources(structure) == [[TOKENS], [TOKENS, 0], [TOKENS, 1], [2]]
    assert structure.runs[1].inputs == (StreamInput(TOKENS, ("average", "concat")), StreamInput(0, ("concat",)))
    assert structure.factors == (16, 4, 1)


def test_bottom_up_climbs_and_then_meets_all_scales_at_once() -> None:
    structure = trace_structure(small("bottom_up", "1@1 1@4 2@16 1@1"))
    assert sources(structure) == [[TOKENS], [0], [1], [0, 1, 2], [3]]


def test_an_hourglass_meets_the_stream_that_it_left_at_each_level() -> None:
    structure = trace_structure(small("hourglass", "1@1 1@2 2@4 1@2 1@1", shortening="linear"))
    assert sources(structure) == [[TOKENS], [0], [1], [1, 2], [0, 3], [4]]
    assert structure.runs[1].inputs == (StreamInput(0, ("conv",)),)
    assert structure.runs[3].inputs == (StreamInput(1, ("add",)), StreamInput(2, ("add",)))


def test_where_a_stack_without_layers_is_a_meeting_it_stays() -> None:
    structure = trace_structure(small("hourglass", "0@1 1@2 1@4 0@2 0@1"))
    assert [(run.layers, run.factor) for run in structure.runs] == [(1, 2), (1, 4), (0, 2), (0, 1)]
    assert sources(structure) == [[TOKENS], [0], [0, 1], [TOKENS, 2], [3]]


def test_each_run_has_the_width_of_its_scale() -> None:
    structure = trace_structure(small("hourglass", "1@1 1@2:32 2@4:48 1@2 1@1", upsampling="linear"))
    assert [run.width for run in structure.runs] == [16, 32, 48, 32, 16] and structure.width == 16


def test_layers_without_attention_are_counted_apart() -> None:
    structure = trace_structure(small("top_down", "2ff@16 1+2ff@4 1@1"))
    assert [(run.layers, run.ff_layers) for run in structure.runs] == [(2, 2), (3, 2), (1, 0)]
    pooled = trace_structure(small("bottom_up", "1@1 1+2ff@4 1@1", pool="query_only"))
    assert [(run.layers, run.ff_layers) for run in pooled.runs] == [(1, 0), (3, 2), (1, 0)]


def test_options_show() -> None:
    plain, attending = (
        trace_structure(small("hourglass", "1@1 2@4 1@1", shortening=way, upsampling=back)).runs
        for way, back in (("average", "repeat"), ("attention", "attention"))
    )
    assert [run.inputs[0].labels for run in plain] == [(), ("average",), ("add",)]
    assert [run.inputs[0].labels for run in attending] == [(), ("attention",), ("add, attend",)]
    reading = trace_structure(small("top_down", "1@4 1@1", upsampling="attention")).runs
    assert reading[1].inputs == (StreamInput(TOKENS, ("concat, attend",)), StreamInput(0, ("concat, attend",)))


def test_pooled_queries_are_the_first_layer_of_their_scale() -> None:
    """One run where nothing comes between, two where the scale meets the coarser one after it."""
    upward = trace_structure(small("bottom_up", "1@1 3@4 1@1", pool="query_only"))
    assert [(run.layers, run.factor) for run in upward.runs] == [(1, 1), (3, 4), (1, 1)]
    assert upward.runs[1].inputs == (StreamInput(0, ("attend",)),)
    downward = trace_structure(small("top_down", "1@16 3@4 1@1", pool="query_only"))
    assert [(run.layers, run.factor) for run in downward.runs] == [(1, 16), (1, 4), (2, 4), (1, 1)]
    assert sources(downward)[2] == [0, 1]


def test_the_last_token_of_a_retina_reads_each_token_once() -> None:
    (run,) = trace_structure(small("retina", "2@1", **windows(8, 2))).runs
    blocks = [range(block * keys.factor, (block + 1) * keys.factor) for keys in run.keys for block in keys.blocks]
    assert [token for block in blocks for token in block] == list(range(48))
    assert [keys.factor for keys in run.keys] == [16, 4, 1]


@pytest.fixture
def not_kept() -> Iterator[None]:
    """For models that are changed: their structures are traced anew, and forgotten."""
    trace_structure.cache_clear()
    yield
    trace_structure.cache_clear()


@pytest.mark.usefixtures("not_kept")
def test_a_stream_that_is_not_read_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the model that is read, not its configuration."""

    def deaf(self: Projection, fine_BND: Tensor, coarse_BMD: Tensor, past: None) -> Tensor:
        return fine_BND

    monkeypatch.setattr(Projection, "forward", deaf)
    assert sources(trace_structure(small("top_down", "2@4 1@1"))) == [[TOKENS], [TOKENS], [1]]


@pytest.mark.usefixtures("not_kept")
def test_writing_into_a_tensor_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(self: Projection, fine_BND: Tensor, coarse_BMD: Tensor, past: None) -> Tensor:
        made = torch.zeros_like(fine_BND)
        made[:, :1] = coarse_BMD[:, :1]
        return made

    monkeypatch.setattr(Projection, "drawn_as", "")
    monkeypatch.setattr(Projection, "forward", overwrite)
    assert 0 in sources(trace_structure(small("top_down", "2@4 1@1")))[1]


@pytest.mark.usefixtures("not_kept")
def test_it_leaves_torch_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trace_structure(small("bottom_up", "1@1 2@4 1@1"))
    assert torch.equal(torch.rand(2), expected) and torch.is_grad_enabled()
