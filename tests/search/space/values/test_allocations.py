"""Ranges of layers: every allocation within is legal, and an order that was not meant is told."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import optuna
import pytest
from support.small_models import small, windows

from msarch import UserError
from msarch.config.allocation import Stage, format_layers
from msarch.config.variants import VARIANTS
from search.space.values.allocations import parse_allocation, parse_alternatives, with_ranges
from search.space.values.ranges import Domain, Values
from search.space.values.stage_ranges import StageRange


@pytest.mark.parametrize(
    ("variant", "text", "combinations"),
    [
        ("vanilla", "1..6@1", 6),
        ("top_down", "1..6@16 1..4@4 2@1", 24),
        ("bottom_up", "0..2@1 1..6@4 1..4@16 1..4@1", 3 * 6 * 4 * 4),
        ("retina", "4@1", 1),
        ("hourglass", "0..2@1 1..6@4 0..2@1", 3 * 6 * 3),
        ("hourglass", "1..2@1 1..2@2 2@4 0..2@2 1@1", 2 * 2 * 3),
        ("top_down", "{1,2,4}@4 1@1", 3),
        ("vanilla", "1..3+0..4ff@1", 15),
        ("hourglass", "0..1@1 1..2ff@2 1..2+{0,2}ff@4 2ff@2 1..2+3ff@1", 2 * 2 * 4 * 2),
    ],
)
def test_every_allocation_within_can_be_built(variant: str, text: str, combinations: int) -> None:
    allocation = parse_allocation(text, variant)
    assert str(allocation) == text and allocation.combinations == combinations
    options = windows(8) if variant == "retina" else {}
    within = set()
    for counts in product(*(every_count(stage) for stage in allocation.stages)):
        written = format_layers(counts)
        small(variant, written, context=64, **options)
        assert allocation.accept(written, "p") is not None
        within.add(written)
    assert len(within) == combinations
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert all(allocation.suggest(study.ask(), variant) in within for _ in range(20))


def every_count(stage: StageRange) -> list[Stage]:
    counts = product(whole_numbers(stage.attention_layers), whole_numbers(stage.ff_layers))
    return [stage.stage(attention_layers, ff_layers, 0) for attention_layers, ff_layers in counts]


def whole_numbers(domain: Domain) -> Iterable[int]:
    return domain.values if isinstance(domain, Values) else range(domain.low, domain.high + 1)


def test_a_scale_may_have_a_range_of_widths_beside_that_of_layers() -> None:
    allocation = parse_allocation("1..2@16:{48,64} 2@4:32 1@1", "top_down")
    assert allocation.combinations == 4 and (allocation.smallest, allocation.largest) == (
        "1@16:48 2@4:32 1@1",
        "2@16:64 2@4:32 1@1",
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(30)]
    within = {allocation.suggest(trial, "p") for trial in trials}
    assert within == {f"{layers}@16:{width} 2@4:32 1@1" for layers in (1, 2) for width in (48, 64)}
    assert set(trials[0].params) == {"p/layers@16", "p/width@16"}
    assert allocation.accept("2@16:64 2@4:32 1@1", "p") == {"p/layers@16": 2, "p/width@16": 64}
    assert allocation.accept("2@16 2@4 1@1", "p") == {"p/layers@16": 2}  # a width that is left out stays open
    assert allocation.accept("2@16:80 2@4 1@1", "p") is None and allocation.accept("2@16 2@4:48 1@1", "p") is None
    assert allocation.accept("2@16 2@4 1@1:16", "p") is None


def test_layers_with_and_without_attention_are_two_independent_numbers() -> None:
    allocation = parse_allocation("0..2ff@1 1..2+0..3ff@4 1@1", "bottom_up")
    assert (allocation.smallest, allocation.largest) == ("0@1 1@4 1@1", "2ff@1 2+3ff@4 1@1")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(60)]
    assert "1ff@1 2@4 1@1" in {allocation.suggest(trial, "p") for trial in trials}
    assert set(trials[0].params) == {"p/ff_layers@1", "p/layers@4", "p/ff_layers@4"}
    assert allocation.accept("2ff@1 1+3ff@4 1@1", "p") == {"p/ff_layers@1": 2, "p/layers@4": 1, "p/ff_layers@4": 3}
    assert allocation.accept("1@1 1+3ff@4 1@1", "p") is None and allocation.accept("1ff@1 4@4 1@1", "p") is None
    post = parse_allocation("1@1 1@4 1..2+1..2ff@1", "hourglass")
    assert [name for name, numbers in post.domains("p") if numbers.varies] == ["p/layers@1.post", "p/ff_layers@1.post"]


def test_one_allocation_has_one_spelling() -> None:
    assert str(parse_allocation("2+0ff@4 1@1", "top_down")) == "2@4 1@1"
    assert str(parse_allocation("0+2ff@4 1@1", "top_down")) == "2ff@4 1@1"
    assert small("top_down", "0+2ff@4:16 1+0ff@1").layers == "2ff@4 1@1"


def test_a_width_stands_once_and_spaces_in_braces_do_not_matter() -> None:
    text = "1@1 1..2@2 1@4:64 {0, 1}@2:{ 32, 48 } 1@1"
    assert str(parse_allocation(text, "hourglass")) == "1@1 1..2@2:{32,48} 1@4:64 {0,1}@2 1@1"


def test_a_factors_second_stage_has_a_name_of_its_own() -> None:
    allocation = parse_allocation("0..2@1 1..6@4 1..4@1", "bottom_up")
    prefix = f"bottom_up/{allocation.factors}"
    assert allocation.names(prefix) == [
        "bottom_up/1-4-1/layers@1",
        "bottom_up/1-4-1/layers@4",
        "bottom_up/1-4-1/layers@1.post",
    ]
    assert allocation.accept("0@1 3@4 2@1", prefix) == dict(zip(allocation.names(prefix), (0, 3, 2), strict=True))
    assert allocation.accept("3@1 3@4 2@1", prefix) is None
    nested = parse_allocation("1@1 1..2@2 1..4@4 0..2@2 1@1", "hourglass")
    names = nested.names(f"hourglass/{nested.factors}")
    assert names[1::2] == ["hourglass/1-2-4-2-1/layers@2", "hourglass/1-2-4-2-1/layers@2.post"]
    assert nested.accept("1@1 2@2 3@4 0@2 1@1", "p") == {"p/layers@2": 2, "p/layers@4": 3, "p/layers@2.post": 0}


@pytest.mark.parametrize(
    ("variant", "text", "message"),
    [
        ("top_down", "1..4@1 1..4@4 1..6@16", "did you mean '1..6@16 1..4@4 1..4@1'?"),
        ("top_down", "1..2@4 1..3@4 1@1", "did you mean '2..5@4 1@1'?"),
        ("bottom_up", "1..6@16 1..6@4 1..4@1", "did you mean '0@1 1..6@4 1..6@16 1..4@1'?"),
        ("hourglass", "1..4@4 0..2@1", "did you mean '0@1 1..4@4 0..2@1'?"),
        ("hourglass", "1..2@1 1@2 1..4@4 2@1", "did you mean '1..2@1 1@2 1..4@4 0@2 2@1'?"),
        ("hourglass", "1@1 0..1@2 1@4 0@2 1@1", "admits '1@1 0@2 1@4 0@2 1@1'"),
        ("vanilla", "1..2@4 1@1", "did you mean '2..3@1'?"),
        ("top_down", "1@6 1@4 1@1", "1, 4, 6: 6 is not a multiple of 4"),
        ("top_down", "1@4", "add a stage '@1'"),
        ("top_down", "0..1@4 1@1", "admits '0@4 1@1'"),
        ("bottom_up", "0..1@1 1@4 0..1@1", "at least one layer must run at factor 1"),
        ("vanilla", "5..2@1", "did you mean '2..5@1'?"),
        ("vanilla", "1..99999@1", "at most 1000 layers"),
        ("vanilla", "1..@1", "'1..@1' is not a stage"),
        ("vanilla", "1@0", "a shortening factor is at least 1"),
        ("vanilla", " ", "must be a layer allocation such as '1..4@1'"),
        ("top_down", "1@1 1..2+3ff@4 2ff@4:32", "did you mean '1..2+5ff@4:32 1@1'?"),
        ("vanilla", "0..1+2ff@1", "admits '2ff@1': at least one layer must run at factor 1, and with attention"),
        ("hourglass", "1ff@1 2ff@4 0..1@1", "no layer has attention"),
        ("spacebyte", "1@1 2@4 1..2ff@1", "ends in fine layers with attention"),
        ("top_down", "2+@4 1@1", "'2+@4' is not a stage"),
        ("top_down", "2+1@4 1@1", "'2+1@4' is not a stage"),
        ("top_down", "1+999ff@4 2..1+2ff@1", "did you mean '1..2+2ff@1'?"),
        ("top_down", "2+999ff@4 1@1", "at most 1000 layers"),
        ("top_down", "1..2@1 2@4:{32,64}", "did you mean '2@4:{32,64} 1..2@1'?"),
        ("top_down", "2@4:0 1@1", "a width is at least 1"),
        ("top_down", "2@4:64..32 1@1", "did you mean '2@4:32..64'?"),
        ("top_down", "2@4:{64,32,64} 1@1", "64 is given twice"),
        ("top_down", "2@4:{} 1@1", "'2@4:{}' is not a stage"),
        ("hourglass", "1@1 1@2:32 1@4 1@2:{32,64} 1@1", "factor 2 has one width, but 32 and {32,64} are given"),
    ],
)
def test_what_is_no_legal_range_is_refused_with_what_was_meant(variant: str, text: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_allocation(text, variant)
    assert message in str(raised.value)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_example_in_the_errors_is_itself_legal(variant: str) -> None:
    assert parse_allocation(with_ranges(VARIANTS[variant]), variant).combinations >= 1


def test_alternatives_point_at_the_wrong_one() -> None:
    assert len(parse_alternatives(["1@1", "2@1"], "vanilla")) == 2
    with pytest.raises(UserError) as raised:
        parse_alternatives(["1@1", "x"], "vanilla")
    assert raised.value.key == "[1]"
