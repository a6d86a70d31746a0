"""Every field of every configuration checks its type, and says in one line what it must be."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig, UserError
from msarch.config import MODEL_CHOICES, TRAINING_CHOICES

MODEL: dict[str, Any] = {
    "variant": "retina",
    "layers": "2@1",
    "d_model": 32,
    "n_heads": 2,
    "vocab_size": 99,
    "context": 64,
    "retina_factors": (1, 4),
    "retina_windows": (8,),
}
SOUND: dict[type, dict[str, Any]] = {
    ModelConfig: MODEL,
    TrainingConfig: {"batch_size": 2},
    TokenizerConfig: {},
    CorpusConfig: {},
    Candidate: {"model": ModelConfig(**MODEL), "training": TrainingConfig(batch_size=2)},
}
NEVER_SOUND = (None, True, object, {"a": 1}, [[1]], [None], float("nan"), float("inf"))
WRONG: dict[type, tuple[Any, ...]] = {int: ("abc", 1.5, "3"), float: ("abc", "0.1"), str: (3, 0.5)}
FIELDS = [(config, item.name) for config in SOUND for item in fields(config)]


def wrong_values(annotation: Any) -> tuple[Any, ...]:
    """Values that a field of this type must refuse."""
    if get_origin(annotation) is tuple:
        one = WRONG[get_args(annotation)[0]]
        return (*NEVER_SOUND, 3, "0.9 0.98", *((value, value) for value in one))
    if get_origin(annotation) is Literal:
        return (*NEVER_SOUND, 3, "wrong")
    return (*NEVER_SOUND, *WRONG.get(annotation, (3, "abc")))


@pytest.mark.parametrize(("config", "name"), FIELDS, ids=[f"{config.__name__}.{name}" for config, name in FIELDS])
def test_a_field_of_another_type_is_refused_in_one_line(config: type, name: str) -> None:
    for value in wrong_values(get_type_hints(config)[name]):
        with pytest.raises(UserError) as raised:
            config(**{**SOUND[config], name: value})
        assert raised.value.key.startswith(name), f"{value!r}: {raised.value}"
        assert "\n" not in str(raised.value) and len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("betas", (0.9,), "betas: must be a list of 2 numbers, got [0.9]"),
        ("betas", 0.9, "betas: must be a list of 2 numbers, got 0.9"),
        ("betas", "0.9 0.98", "betas: must be a list of 2 numbers, got '0.9 0.98'"),
        ("betas", (0.9, 1.0), "betas: each beta is at least 0 and below 1, got 1.0"),
        ("batch_size", 0, "batch_size: must be a whole number of at least 1, got 0"),
        ("validation_tokens", -1, "validation_tokens: must be a whole number of at least 0, got -1"),
        ("dtype", "bf16", "dtype: unknown dtype 'bf16', did you mean 'bfloat16'? Legal: bfloat16, float32"),
        ("clip", -1.0, "clip: must be a number of at least 0, got -1.0"),
        ("warmup", 2, "warmup: must be a number between 0 and 1, got 2"),
    ],
)
def test_the_line_says_what_is_legal(field: str, value: Any, message: str) -> None:
    with pytest.raises(UserError) as raised:
        TrainingConfig(**{"batch_size": 1, field: value})
    assert str(raised.value) == message


@pytest.mark.parametrize("seed", ["abc", -1, 1.5, None, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    values = {"model": ModelConfig(**MODEL), "training": TrainingConfig(batch_size=2), "seed": seed}
    with pytest.raises(UserError, match=r"^seed: must be a whole number"):
        Candidate(**values)
    recorded = Candidate(**{**values, "seed": 0}).to_dict()
    with pytest.raises(UserError, match=r"^seed: must be a whole number"):
        Candidate.from_dict({**recorded, "seed": seed})


def test_lists_are_taken_for_tuples() -> None:
    betas: Any = [0.9, 0.98]
    training = TrainingConfig(batch_size=1, betas=betas)
    assert training == TrainingConfig(batch_size=1, betas=(0.9, 0.98)) and hash(training)


def test_the_choices_are_those_of_the_annotations() -> None:
    assert MODEL_CHOICES["positions"] == ("learned", "rotary", "alibi", "none")
    assert TRAINING_CHOICES["optimizer"] == ("adamw",)
    assert set(MODEL_CHOICES) | set(TRAINING_CHOICES) == {
        name
        for config in (ModelConfig, TrainingConfig)
        for name, annotation in get_type_hints(config).items()
        if get_origin(annotation) is Literal
    }
