"""torch.compile, layer by layer: the same model within rounding, and the same bits each time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.small_models import small
from support.small_runs import candidate, token_set, weights

from msarch.models.build import build_model
from msarch.training.compiling import compile_layers, eager
from msarch.training.trainer import Trainer


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
