"""The comparison of training speed, with models of no size: the peers are what they are said to be."""

from __future__ import annotations

import pytest
import torch

from benchmarks.steps_in_turn import in_turn, ratios
from benchmarks.training_speed import Sizes, pairs, row
from msarch import TrainingConfig


def test_every_peer_takes_a_step_and_has_as_many_parameters() -> None:
    pytest.importorskip("x_transformers")
    pytest.importorskip("hourglass_transformer_pytorch")
    torch.set_num_threads(1)
    sizes = Sizes(d_model=32, layers=1, d_head=16, vocab_size=64, context=64, batch_size=2)
    found = list(pairs(sizes, TrainingConfig(batch_size=2, loss="full")))
    assert len(found) == 7
    for pair in found:
        ours, other = pair.parameters
        # The hourglass of the library has a readout of its own, wider feed-forward layers for its gates and no biases.
        assert pair.flops is not None or ours == pytest.approx(other, rel=0.25)
        measured = ratios(*in_turn([pair.ours, pair.other], 2))
        assert len(measured) == 2 and all(ratio > 0 for ratio in measured)
        assert row(pair, measured)[0] == pair.name
