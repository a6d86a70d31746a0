"""The report's first sentences, computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from search.ledger.records import TrialRecord
from search.show.report.headline import headline

OBJECTIVES = ("perplexity", "memory")
Maker = Callable[..., TrialRecord]


@pytest.fixture
def make(make_record: Maker) -> Maker:
    """`make(number, layers, perplexity, memory_mib)`: vanilla where the layers have one scale."""

    def made(number: int, layers: str, perplexity: float, memory_mib: float) -> TrialRecord:
        record = make_record(number, perplexity, memory_mib)
        variant = "top_down" if "4" in layers else "vanilla"
        model = replace(record.candidate.model, variant=variant, layers=layers, retina_factors=(), retina_windows=())
        return replace(record, candidate=replace(record.candidate, model=model))

    return made


def outcome(*records: TrialRecord) -> str:
    return str(headline(records, OBJECTIVES)["outcome"]).replace("\u00a0", " ")


BEST = "top_down <code>5@4 3@1</code>: perplexity 21.30 at 69 MiB"


def test_less_memory_for_the_same(make: Maker) -> None:
    text = outcome(make(0, "5@4 3@1", 21.3, 69), make(1, "6@1", 21.4, 100))
    assert text == f"{BEST}, 31 % less memory than the cheapest vanilla model within 1 % of its perplexity."


def test_more_memory_is_said_too(make: Maker) -> None:
    text = outcome(make(0, "5@4 3@1", 21.3, 69), make(1, "6@1", 21.4, 60))
    assert "15 % more memory than the cheapest vanilla model" in text


def test_as_much(make: Maker) -> None:
    assert "as much memory as the cheapest" in outcome(make(0, "5@4 3@1", 21.3, 69), make(1, "6@1", 21.4, 69))


def test_no_vanilla_model_is_as_good(make: Maker) -> None:
    text = outcome(make(0, "5@4 3@1", 21.3, 69), make(1, "6@1", 25.56, 100))
    assert text == f"{BEST}. The best vanilla model, <code>6@1</code>, has 20 % higher perplexity, at 100 MiB."


def test_vanilla_wins(make: Maker) -> None:
    text = outcome(make(0, "5@4 3@1", 21.4, 69), make(1, "6@1", 21.3, 100))
    assert text == (
        "vanilla <code>6@1</code>: perplexity 21.30 at 100 MiB. The cheapest multi-scale model within 1 % of its "
        "perplexity, top_down <code>5@4 3@1</code>, needs 31 % less memory."
    )
    assert "The best multi-scale model, top_down <code>5@4 3@1</code>, has 41 % higher perplexity" in outcome(
        make(0, "5@4 3@1", 30.0, 69), make(1, "6@1", 21.3, 100)
    )


def test_nothing_to_compare_with(make: Maker, make_record: Maker) -> None:
    assert outcome(make(0, "5@4 3@1", 21.3, 69)) == (
        f"Best: {BEST}. No vanilla model is complete, so there is nothing to compare it with."
    )
    assert outcome() == "No trial was run yet."
    assert outcome(make_record(0, 50, 10, state="pruned")) == "No trial is complete yet, so there is no front."


def test_what_was_searched(make: Maker, make_record: Maker) -> None:
    records = [
        replace(make(0, "5@4 3@1", 21.3, 69), seconds=100.0),
        replace(make(1, "6@1", 25, 100), seconds=20.0),
        make_record(2, 50, 10, state="pruned"),
        make_record(3, 50, 10, state="infeasible"),
    ]
    text = str(headline(records, OBJECTIVES)["searched"])
    assert text.startswith("3 models (") and "2m00s of training in all" in text
    assert "on the documentation that comes with Python, with a budget of 1M tokens each" in text
    assert "1 of them was stopped early. 1 more was above a limit and never trained." in text
    paused = replace(records[2], number=4, paused=True)
    text = str(headline([*records, paused], OBJECTIVES)["searched"])
    assert "1 of them is paused before the end, and 1 was stopped early for good. 1 more" in text
    text = str(headline([*records[:2], paused, replace(paused, number=5)], OBJECTIVES)["searched"])
    assert text.endswith("2 of them are paused before the end.")
