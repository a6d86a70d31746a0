"""The front in characters: capitals for the front, no line wider than the terminal, a letter for each variant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from msarch.config.variants import VARIANTS
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.show.terminal.front_plot import HEIGHT, front_plot

OBJECTIVES = ("perplexity", "memory")
Maker = Callable[..., list[TrialRecord]]


def drawn(records: list[TrialRecord], width: int = 100) -> list[str]:
    return front_plot(records, OBJECTIVES, colour=False, width=width).splitlines()


def test_the_front_is_drawn_in_capitals(make_records: Maker) -> None:
    records = make_records(25, seed=4)
    lines = drawn(records)
    assert lines[0] == "validation perplexity against training memory"
    inside = "".join(line.partition("|")[2] for line in lines[1 : HEIGHT + 2])
    capitals = [letter for letter in inside if letter.isupper()]
    front = [record.candidate.model.variant[0].upper() for record in pareto_front(records)]
    assert capitals and set(capitals) <= set(front) and len(capitals) <= len(front)
    assert "MiB" in lines[-2] and lines[-1].endswith("small letters are not on the front")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 300])
@pytest.mark.parametrize("count", [1, 2, 60])
def test_no_line_is_wider_than_the_terminal(make_records: Maker, count: int, width: int) -> None:
    plot = drawn(make_records(count, seed=4), width)[1:-1]
    assert plot and max(map(len, plot)) <= width


def test_nothing_is_drawn_without_a_front_or_without_room(make_records: Maker) -> None:
    assert drawn(make_records(4, state="pruned")) == []
    assert drawn(make_records(25, seed=4), width=30) == []


def test_each_variant_has_a_letter_of_its_own() -> None:
    assert len({name[0] for name in VARIANTS}) == len(VARIANTS)
