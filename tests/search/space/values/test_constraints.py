"""Conditions between parameters: what they measure, and what they refuse to run."""

from __future__ import annotations

import pytest

from msarch import Candidate, ModelConfig, TrainingConfig, UserError
from search.space.values.constraints import parse_constraint

CANDIDATE = Candidate(
    model=ModelConfig(
        variant="top_down", layers="4@16:96 2+1ff@4 2@1", d_model=64, n_heads=4, vocab_size=512, context=128
    ),
    training=TrainingConfig(batch_size=8),
)


@pytest.mark.parametrize(
    ("text", "violation"),
    [
        ("n_layers <= 12", -3),
        ("n_layers <= 8", 1),
        ("n_layers >= 12", 3),
        ("3 <= n_layers <= 8", 1),
        ("d_model * n_layers <= 512", 64),
        ("layers@4 <= layers@16 - 2", 1),
        ("2 * layers@4 + 1 <= 6", 1),
        ("layers@8 <= 0", 0),
        ("ff_layers@4 <= layers@4 - 2", 0),
        ("ff_layers@1 + ff_layers@8 == 0", 0),
        ("width@16 <= d_model", 32),
        ("width@4 + width@1 <= 128", 0),
        ("width@8 == 0", 0),
        ("n_heads == 4", 0),
        ("n_heads == 2", 2),
        ("d_head / 2 <= 8", 0),
        ("-vocab_size <= -context * batch_size", 512),
    ],
)
def test_a_condition_measures_by_how_much_it_is_broken(text: str, violation: float) -> None:
    assert parse_constraint(text).violation(CANDIDATE) == violation


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_layers < 12", "<=, >= or =="),
        ("n_layers", "compares nothing"),
        ("n_layers <=", "is not a constraint"),
        ("depth <= 3", "unknown name 'depth'"),
        ("__import__('os').system('x') <= 1", "only names, numbers"),
        ("n_layers ** 99 <= 1", "only names, numbers"),
        ("n_layers / d_model <= 1", "divide by a number"),
        ("n_layers / 0 <= 1", "divide by a number"),
        ("(lambda: 1)() <= n_layers", "only names, numbers"),
        ("True <= n_layers", "only names, numbers"),
        ("1 <= 2", "names no parameter"),
        ("(" * 300 + "n_layers" + ")" * 300 + " <= 1", "must be a constraint"),
        (3, "must be a constraint"),
    ],
)
def test_what_is_not_a_constraint_is_refused(text: object, message: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_constraint(text)
    assert message in str(raised.value) and "\n" not in str(raised.value)
