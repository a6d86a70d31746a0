"""Constants, values and ranges, and how Optuna is asked for them."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import optuna
import pytest

from msarch import UserError
from search.space.values.range_parser import parse_domain
from search.space.values.ranges import Range, Values
from search.space.values.value_types import NUMBER, WHOLE, ValueType, value_type_of

WINDOWS = value_type_of("windows", tuple[int, ...])
ATTENTION = value_type_of("attention", Literal["fused", "unfused"])


@pytest.mark.parametrize(
    ("raw", "kind", "drawn", "combinations"),
    [
        (8, WHOLE, {8}, 1),
        ("2M", WHOLE, {2_000_000}, 1),
        ({"values": [8, 16]}, WHOLE, {8, 16}, 2),
        ({"values": [8]}, WHOLE, {8}, 1),
        ({"min": 32, "max": 96, "step": 32}, WHOLE, {32, 64, 96}, 3),
        ({"min": 3, "max": 3}, WHOLE, {3}, 1),
        ({"min": 1e-3, "max": 1e-3}, NUMBER, {1e-3}, 1),
        ({"min": 0.1, "max": 0.3, "step": 0.1}, NUMBER, {0.1, 0.2, 0.3}, 3),
        ("64 16", WINDOWS, {(64, 16)}, 1),
        ([64, 16], WINDOWS, {(64, 16)}, 1),
        (["64 16", "32 8"], WINDOWS, {(64, 16), (32, 8)}, 2),
        ({"values": [[64, 16], "32"]}, WINDOWS, {(64, 16), (32,)}, 2),
        ({"values": ["fused", "unfused"]}, ATTENTION, {"fused", "unfused"}, 2),
        ({"values": [True, False]}, value_type_of("x", bool), {True, False}, 2),
        ({"values": [None, 3]}, value_type_of("x", int | None), {None, 3}, 2),
    ],
)
def test_what_is_drawn_is_what_was_written(raw: Any, kind: ValueType, drawn: set[Any], combinations: int) -> None:
    parameter = parse_domain(raw, kind)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trials = [(trial, parameter.suggest(trial, "x")) for trial in (study.ask() for _ in range(40))]
    assert {round(value, 9) if isinstance(value, float) else value for _, value in trials} == drawn
    assert parameter.combinations == combinations
    assert all(("x" in trial.params) == (combinations > 1) for trial, _ in trials)
    assert parse_domain(parameter.plain(), kind).plain() == parameter.plain()
    for trial, value in trials:
        assert parameter.accept(value, "x") == trial.params


def test_a_continuous_range_has_no_combinations() -> None:
    parameter = parse_domain({"min": 1e-4, "max": 1e-2, "log": True}, NUMBER)
    assert parameter == Range(1e-4, 1e-2, None, True) and parameter.combinations is None


@pytest.mark.parametrize(
    ("parameter", "divisor", "refused"),
    [
        (Range(32, 96, 16), 16, None),
        (Range(32, 96, 8), 16, 40),
        (Range(40, 96, 8), 16, 40),
        (Range(40, 40, 8), 8, None),
        (Values((32, 48, 50)), 16, 50),
    ],
)
def test_the_first_value_that_is_not_divisible(parameter: Any, divisor: int, refused: int | None) -> None:
    assert parameter.indivisible(divisor) == refused


@pytest.mark.parametrize(
    ("raw", "kind", "key", "message"),
    [
        ({"min": 5, "max": 3}, WHOLE, "", "min 5 is above max 3"),
        ({"min": 5}, WHOLE, "", "'max' is missing"),
        ({"min": 0, "max": 5, "log": True}, WHOLE, "min", "starts above 0"),
        ({"min": 1, "max": 6, "step": 2}, WHOLE, "step", "the nearest are 5 and 7"),
        ({"min": 1, "max": 6, "step": 0}, WHOLE, "step", "must be above 0"),
        ({"min": 1, "max": 6, "stpe": 1}, WHOLE, "stpe", "did you mean 'step'?"),
        ({"min": "a", "max": 6}, WHOLE, "min", "'a' is not a count"),
        ({"values": [1], "min": 1}, WHOLE, "min", "unknown key 'min'"),
        ({"min": 1, "max": 2}, ATTENTION, "min", "unknown key 'min'"),
        (1.5, WHOLE, "", "must be a whole number, got 1.5"),
        (True, WHOLE, "", "must be a whole number, got true"),
        ("x", NUMBER, "", "must be a number"),
        (float("nan"), NUMBER, "", "must be a number"),
        ([8, 16], WHOLE, "", "write {values: [8, 16]}"),
        ("64 x", WINDOWS, "", "'x' is not a count"),
    ],
)
def test_an_impossible_parameter_is_refused(raw: Any, kind: ValueType, key: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_domain(raw, kind)
    assert raised.value.key == key and message in str(raised.value)
