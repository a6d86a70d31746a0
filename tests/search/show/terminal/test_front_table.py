"""The front as a table of text: models with nearly the same figures can be told apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.results.results import load_results
from search.show.palette import formatter, log_ticks
from search.show.report.data import packed_trials
from search.show.report.layout import hover_texts
from search.show.terminal.display import paused_line
from search.show.terminal.front_table import format_figure, format_front

SHAKESPEARE = Path(__file__).parents[4] / "results" / "reference-shakespeare"
SingleMaker = Callable[..., TrialRecord]


def test_bytes_models_of_a_front_have_different_figures() -> None:
    results = load_results(SHAKESPEARE)
    table = format_front(results.records, results.objectives, colour=False, width=120)
    assert " 8.850 " in table and " 8.780 " in table
    shown = [format_figure(record, "perplexity") for record in results.front]
    assert len(set(shown)) == len(results.front) == 8


def stopped(make_record: SingleMaker) -> TrialRecord:
    point = Validation(rung=1, step=30, tokens=62_000, loss=math.log(8.7804), bits_per_byte=3.1, seconds=2.0)
    return make_record(4, 90, 50, state="pruned", paused=True, loss=None, bits_per_byte=None, curve=(point,))


def test_a_perplexity_reads_the_same_wherever_a_trial_that_was_stopped_is_shown(make_record: SingleMaker) -> None:
    record = stopped(make_record)
    assert paused_line(record).endswith("perplexity 8.780")
    assert "<br>perplexity 8.780 after 62k tokens<br>" in hover_texts([record])[4]
    finished = make_record(5, 80, 50)
    assert packed_trials([record, finished], ())["stopped"] == {4: "perplexity 8.780 after 62k tokens"}
    assert packed_trials([replace(record, curve=()), finished], ())["stopped"] == {}


@pytest.mark.parametrize("ends", [(34.79, 34.85), (8.75, 8.86), (2.0, 9.5), (101.0, 103.0), (40.0, 1200.0)])
def test_ticks_of_an_axis_differ(ends: tuple[float, float]) -> None:
    values, labels = log_ticks(*ends, "perplexity")
    assert len(set(labels)) == len(values) >= 3
    assert [float(label) for label in labels] == pytest.approx(values, rel=1e-3)


def test_the_label_of_an_axis_has_no_more_digits_than_it_needs() -> None:
    assert [formatter("perplexity")(value) for value in (2.0, 8.5, 34.81, 412.34, 12_345.6)] == [
        "2",
        "8.5",
        "34.81",
        "412.3",
        "12346",
    ]
