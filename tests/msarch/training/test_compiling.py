"""torch.compile, layer by layer: the same model within rounding, and the same bits each time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.small_models import CONFIGS, label, small, training_of, windows
from support.small_runs import candidate, token_set, weights
from torch._dynamo.testing import CompileCounter
from torch._dynamo.utils import counters

from msarch import ModelConfig
from msarch.models.build import build_model
from msarch.training.compiling import compile_layers, eager
from msarch.training.step import make_optimizer, training_step
from msarch.training.trainer import Trainer

OF_EACH_VARIANT = [
    small("vanilla", "2@1"),
    small("top_down", "1@4 1@1"),
    small("bottom_up", "1@1 1@4 1@1"),
    small("hourglass", "1@1 1@4 1@1"),
    small("spacebyte", "1@1 1@4 1@1", vocab_size=256),
    small("retina", "2@1", **windows(8), positions="rotary"),
    small("retina", "2@1", **windows(8), positions="alibi"),
    small("retina", "2@1", **windows(8), positions="learned"),
]


@pytest.fixture(autouse=True)
def nothing_compiled_yet() -> None:
    """Compiled code belongs to a function, so models of other tests would count towards torch's limit."""
    torch._dynamo.reset()
    counters.clear()


def losses(config: ModelConfig, *, compiled: bool) -> list[float]:
    """Of two updates, the second of which shows the gradients of the first."""
    torch.manual_seed(0)
    model, training = build_model(config), training_of(2)
    inputs, targets = torch.randint(config.vocab_size, (2, 2, config.context))
    if compiled:
        compile_layers(model, "aot_eager")
    optimizer = make_optimizer(model, training)
    return [training_step(model, optimizer, inputs, targets, training).item() for _ in range(2)]


@pytest.mark.parametrize("config", OF_EACH_VARIANT, ids=lambda config: f"{config.variant}-{config.positions}")
def test_every_variant_compiles_and_has_the_loss_of_the_plain_model(config: ModelConfig) -> None:
    assert losses(config, compiled=True) == pytest.approx(losses(config, compiled=False), abs=1e-5)


@pytest.mark.parametrize("pairs", ["adjacent", "halves"])
def test_rotary_positions_leave_a_layer_in_one_piece(pairs: str) -> None:
    losses(small("hourglass", "1@1 1@4 1@1", positions="rotary", rotary_pairs=pairs), compiled=True)
    assert not counters["graph_break"]


NINE = "1@256 1@128 1@64 1@32 1@16 1@8 1@4 1@2 1@1"
SCALES = [
    (small("top_down", "2@16 1@4 1@1", positions="alibi"), 3, "float32"),
    (small("hourglass", "1@1 1@2 2@4 1@2 1@1", positions="rotary", rotary_pairs="adjacent"), 3, "bfloat16"),
    (small("top_down", "1@4 2@1", positions="rotary", rotary_pairs="halves"), 2, "float32"),
    (small("spacebyte", "1@1 2@4 1@1", vocab_size=256, positions="rotary"), 2, "float32"),
    (small("spacebyte", "1@1 2@4 1@1", vocab_size=256, positions="alibi"), 2, "bfloat16"),
    pytest.param(small("top_down", NINE, context=512), 9, "float32", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("config", "scales", "dtype"), SCALES)
def test_layers_are_compiled_once_for_each_scale(config: ModelConfig, scales: int, dtype: str) -> None:
    """Also where a validation on shorter sequences came in between."""
    model, tokens = build_model(config), torch.randint(61, (2, config.context))
    compiled = CompileCounter()
    compile_layers(model, compiled)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        for length in (config.context, config.context // 2 + 1, config.context):
            with eager(length < config.context):
                model(tokens[:, :length])
    assert compiled.frame_count == scales


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=label)
def test_every_option_compiles_and_has_the_loss_of_the_plain_model(config: ModelConfig) -> None:
    assert losses(config, compiled=True) == pytest.approx(losses(config, compiled=False), abs=1e-5)


def test_only_layers_are_compiled_and_names_stay() -> None:
    model, plain = (build_model(small("top_down", "1@4 1@1")) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    calls: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> object:
        calls.append(len(inputs))
        return graph.forward

    compile_layers(model, backend)
    assert model.state_dict().keys() == plain.state_dict().keys()
    tokens = torch.randint(61, (2, 48))
    with eager(True):
        assert torch.equal(model(tokens), plain(tokens)) and calls == []
    assert torch.equal(model(tokens), plain(tokens)) and len(calls) == 2, "one for each length of sequence"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="torch.compile needs a C compiler on a CPU")
def test_a_compiled_training_resumes_to_the_bit_and_is_close_to_a_plain_one(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    wanted = replace(candidate(small("top_down", "1@4 1@1")))
    plain, compiled = Trainer(wanted, tokens), Trainer(wanted, tokens, compiled=True)
    for trainer in (plain, compiled):
        while not trainer.finished:
            trainer.advance()
            if trainer is compiled and trainer.step == 10:
                trainer.save(tmp_path)
    assert compiled.curve[-1].loss == pytest.approx(plain.curve[-1].loss, abs=0.02)
    resumed = Trainer(wanted, tokens, compiled=True)
    assert resumed.restore(tmp_path)
    while not resumed.finished:
        resumed.advance()
    assert torch.equal(weights(resumed), weights(compiled))
