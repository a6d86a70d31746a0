"""The comparison itself, on models of a moment."""

from __future__ import annotations

import pytest

from benchmarks.generation_speed import PROMPT, TURN, gpt2, in_turn, ours, ratios_of

SHAPE = {"d_model": 16, "n_heads": 2, "vocab_size": 61, "context": 64}


def test_all_take_their_turns_to_the_full_context() -> None:
    pytest.importorskip("transformers")
    contenders = {"vanilla": ours("vanilla", "2@1", SHAPE), "GPT-2": gpt2(2, SHAPE)}
    seconds = in_turn({name: step for name, (step, _) in contenders.items()}, SHAPE["context"])
    assert [len(turns) for turns in seconds.values()] == [(SHAPE["context"] - PROMPT) // TURN] * 2
    assert {size() for _, size in contenders.values()} == {2 * 2 * 64 * 16 * 4}, "caches of the same shape"


def test_ratios_are_of_turns_at_the_same_place() -> None:
    assert ratios_of([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == [1.0, 2.0, 3.0]
