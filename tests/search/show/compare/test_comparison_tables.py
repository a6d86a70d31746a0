"""A comparison in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from search.ledger.records import TrialRecord
from search.results.comparison import Comparison, compare_searches
from search.results.results import Results
from search.show.compare.figure import fronts_figure
from search.show.compare.tables import outcome, ranges_table, searches_table

Point = tuple[float, float]
Compare = Callable[..., Comparison]


@pytest.fixture
def compare(make_record: Callable[..., TrialRecord], tmp_path: Path) -> Compare:
    """`compare([(perplexity, MiB), ...], ...)`: searches a, b and so on."""

    def compared(*searches: list[Point]) -> Comparison:
        return compare_searches(
            [
                Results(
                    tmp_path / name,
                    [make_record(n, *point) for n, point in enumerate(points)],
                    ("perplexity", "memory"),
                )
                for name, points in zip("abc", searches, strict=False)
            ]
        )

    return compared


def test_the_pointer_shows_the_cost_that_is_compared(make_record: Callable[..., TrialRecord], tmp_path: Path) -> None:
    searches = [Results(tmp_path / name, [make_record(0, 50, 10)], ("perplexity", "memory")) for name in "ab"]
    figure = fronts_figure(compare_searches(searches, cost="cache"))
    texts = [text for trace in figure.data for text in trace.hovertext or ()]
    assert len(texts) == 2 and all("<br>inference cache " in text for text in texts)


def test_the_outcome_in_words(compare: Compare) -> None:
    mixed = compare([(50, 10), (40, 40)], [(45, 20), (42, 80)])
    assert outcome(mixed) == (
        "a has the largest hypervolume. It alone leads in 67 % of the range of memory, b in 33 %."
    )
    behind = compare([(50, 10)], [(51, 20)], [(52, 30)])
    assert outcome(behind).endswith("100 % of the range of memory; no model of b or c is on the common front.")
    assert (
        outcome(compare([(50, 10), (40, 40)], [(50, 10), (40, 40)])) == "The two best fronts have the same hypervolume."
    )


def test_ranges_as_rows(compare: Compare) -> None:
    rows = ranges_table(compare([(50, 10), (40, 40)], [(45, 20), (40, 40)])).rows
    assert [row[:3] for row in rows] == [
        ["10 MiB to 20 MiB", "a", "the only one"],
        ["20 MiB to 40 MiB", "b", "0.105 nats"],
        ["40 MiB and more", "a = b", "equal"],
    ]


def test_the_last_row_is_of_all_together(compare: Compare) -> None:
    rows = searches_table(compare([(50, 10)], [(45, 20)])).rows
    assert [row[0] for row in rows] == ["a", "b", "all together"] and all(len(row) == 8 for row in rows)


def test_each_front_is_a_line_and_its_models(compare: Compare) -> None:
    figure = fronts_figure(compare([(50, 10), (40, 40)], [(45, 20)]))
    assert [trace.name for trace in figure.data] == ["front of all", "a", "a", "b", "b"]
    assert [len(trace.x) for trace in figure.data if trace.mode == "markers"] == [2, 1]
    ends = {trace.x[-1] for trace in figure.data if trace.mode == "lines"}
    assert len(ends) == 1, "the last level of each holds to the end of the axis"
