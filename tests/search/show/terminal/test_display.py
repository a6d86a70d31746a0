"""The display of a running search: plain lines in a log, a live panel on a terminal, in any order of events."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.show.terminal.display import SearchDisplay, trial_line
from search.show.terminal.front_table import format_figure

Maker = Callable[..., list[TrialRecord]]
SingleMaker = Callable[..., TrialRecord]


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(total: int | None = 4, **options: Any) -> tuple[SearchDisplay, io.StringIO, Clock]:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, width=80)
    display = SearchDisplay("quickstart", total, console=console, clock=clock, **options)
    return display, out, clock


def point(tokens: int) -> Validation:
    return Validation(rung=0, step=1, tokens=tokens, loss=4.0, bits_per_byte=2.0, seconds=1.0)


def test_a_log_gets_one_line_for_each_finished_trial(make_records: Maker) -> None:
    records = make_records(40)
    display, out, _ = plain(40)
    with display:
        for record in records:
            display.finished(record)
    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()
    assert [line for line in lines if line.startswith("trial ")] == [trial_line(record) for record in records]
    assert len(lines) == 41  # the trials, a last status; no status in between: no time passed


def test_a_search_that_ends_before_its_first_trial_leaves_the_last_word_to_its_error() -> None:
    display, out, _ = plain()
    with pytest.raises(ValueError, match="no text"), display:
        raise ValueError("no text")
    assert out.getvalue() == ""


def test_lines_say_what_became_of_a_trial(make_record: SingleMaker) -> None:
    record = make_record(12, 93.1, 41)
    model = record.candidate.model
    start = f"{model.variant} {model.layers} d={model.d_model}"
    assert trial_line(record) == f"trial 12 complete  {start}  perplexity 93.10  memory 41 MiB"
    big = make_record(3, 9, 312, state="infeasible", loss=None, curve=(), violation="memory: 312 MiB > 256 MiB")
    assert trial_line(big).endswith(f"{big.candidate.model.d_model}  memory: 312 MiB > 256 MiB")
    stopped = make_record(4, 90, 50, state="pruned", loss=None, curve=(point(250_000),))
    assert "loss 4.000 after 250k tokens" in trial_line(stopped)
    assert trial_line(make_record(5, 90, 50, state="duplicate", twin=2)).endswith("same as trial 2")
    assert trial_line(make_record(6, 90, 50, state="failed", error="lost its process")).endswith("lost its process")


def test_a_log_says_what_happens_before_the_first_trial_trains(make_record: SingleMaker) -> None:
    display, out, clock = plain()
    record = make_record(0, 80, 40)
    with display:
        for text in ("reading the text", "encoding the text", "starting Ray", "starting 2 workers"):
            display.phase(text)
            clock.now += 10
        display.started(0, record.candidate, record.profile)
        assert display.status() == "starting 2 workers, 0 of 4 trials done, 1 running, front 0, 40s"
        display.training(0)
        assert display.status() == "first training steps, 0 of 4 trials done, 1 running, front 0, 40s"
        display.validated(0, point(10_000))
        clock.now += 1
        assert display.status() == "0 of 4 trials done, 1 running, front 0, 10k tokens/s, 41s"
        display.phase("encoding the text")  # of another vocabulary
        display.started(1, record.candidate, record.profile)
        assert display.status().startswith("0 of 4")
    lines = out.getvalue().splitlines()
    assert lines[:4] == ["reading the text", "encoding the text", "starting Ray", "starting 2 workers"]
    assert lines[4].startswith("trial 0 started") and lines[5] == "first training steps"


def test_a_terminal_shows_what_happens_before_the_first_trial() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, force_interactive=True, width=60, no_color=False)
    with SearchDisplay("quickstart", 20, console=console) as display:
        display.phase("reading the text")
        console.print("")  # what is printed redraws the panel
    assert "quickstart  reading the text, 0 of 20 trials done" in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def test_status_comes_at_most_every_15_seconds(make_record: SingleMaker) -> None:
    display, out, clock = plain()
    record = make_record(0, 80, 40)
    with display:
        display.started(0, record.candidate, record.profile)
        for tokens in range(0, 1_000_000, 10_000):  # a validation a second
            clock.now += 1
            display.validated(0, point(tokens))
        assert out.getvalue().count("of 4 trials done") == 100 // 15


def test_trials_of_an_earlier_run_count_as_done_but_not_as_speed(make_records: Maker) -> None:
    records = make_records(12, state="complete")
    display, _, clock = plain(12, records=records, tokens_per_trial=1_000_000)
    with display:
        clock.now += 10
        assert "tokens/s" not in display.status()
        assert display.status().startswith("12 of 12 trials done")


def test_infeasible_and_duplicate_trials_are_not_trained(make_records: Maker, make_record: SingleMaker) -> None:
    display, _, _ = plain(5)
    with display:
        for record in make_records(3, state="infeasible"):
            display.finished(record)
        display.finished(make_record(3, 80, 40, state="duplicate", twin=4))
        assert "0 of 5 trials done" in display.status()
        assert "3 infeasible, 1 duplicate" in display.status()


def test_events_may_come_in_any_order(make_record: SingleMaker) -> None:
    display, _, _ = plain()
    record = make_record(0, 80, 40)
    with display:
        display.validated(0, point(10))
        display.finished(record)
        display.started(0, record.candidate, {})
        display.validated(0, point(20))
        display.finished(record)
        assert display.status().startswith("1 of 4 trials done, front 1")


def test_a_terminal_gets_a_panel_with_the_front(make_records: Maker) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, force_interactive=True, width=100, height=40, no_color=False)
    records = make_records(12, state="complete")
    with SearchDisplay("quickstart", 20, tokens_per_trial=1_000_000, console=console) as display:
        for record in records:
            display.started(record.number, record.candidate, record.profile)
            display.finished(record)
        last = replace(records[0], number=12)
        display.started(12, last.candidate, last.profile)
        display.validated(12, point(250_000))
        display.message("markup like [bold] is text")
        console.print("")  # what is printed redraws the panel
    text = out.getvalue()
    assert "running: 12 " in text and "25%" in text
    assert "12 of 20 trials done, 1 running" in text
    assert "perplexity" in text and "knee" in text
    assert "markup like [bold] is text" in text
    assert "trial 3 complete" not in text


def test_no_color_gives_plain_lines_on_a_terminal(make_records: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    with SearchDisplay("quickstart", 3, console=Console(file=out, force_terminal=True)) as display:
        for record in make_records(3, state="complete"):
            display.finished(record)
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count(" complete  ") == 3


def test_a_failing_search_leaves_the_terminal_in_order(make_records: Maker) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, force_interactive=True, no_color=False)
    with pytest.raises(KeyboardInterrupt):
        interrupt(SearchDisplay("quickstart", 3, console=console), make_records(1, state="complete")[0])
    assert out.getvalue().count("\x1b[?25l") == out.getvalue().count("\x1b[?25h") == 1  # the cursor is shown again
    assert "\x1b[2K1 of 3 trials done" in out.getvalue().rstrip().splitlines()[-1]


def interrupt(display: SearchDisplay, record: TrialRecord) -> None:
    with display:
        display.finished(record)
        raise KeyboardInterrupt


@pytest.mark.parametrize("width", [60, 40])
def test_a_narrow_terminal_shows_every_number_whole(make_records: Maker, width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, force_interactive=True, width=width, height=60, no_color=False)
    records = make_records(12, state="complete")
    with SearchDisplay("quickstart", 20, records=records, console=console):
        console.print("")  # what is printed redraws the panel
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    for record in pareto_front(records):
        figures = (re.escape(format_figure(record, column)) for column in ("perplexity", "memory_bytes"))
        assert re.search(f" {' .*'.join(figures)}", text)  # in one row of the table
    assert "12 of 20 trials done" in text


def test_a_paused_trial_is_told_and_counted_in_tokens_of_the_budget(make_record: SingleMaker) -> None:
    whole = make_record(0, 20.0, 40.0)
    whole = replace(
        whole, candidate=replace(whole.candidate, training=replace(whole.candidate.training, tokens=500_000))
    )
    curve = tuple(
        replace(one, tokens=round(share * 500_000))
        for one, share in zip(whole.curve, whole.candidate.training.rungs, strict=True)
    )
    paused = replace(whole, state="pruned", paused=True, loss=None, bits_per_byte=None, curve=curve[:3])
    display, out, clock = plain(None, total_tokens=2_000_000)
    with display:
        display.started(0, whole.candidate, whole.profile)
        display.training(0)
        clock.now += 10
        for reached in curve[:3]:
            display.validated(0, reached)
        display.paused(paused)
        assert "62.5k of 2M tokens, 0 complete, 1 paused, front 0, 6.25k tokens/s" in display.status()
        assert "about 5m" in display.status()
        display.started(0, whole.candidate, whole.profile)
        assert "62.5k of 2M tokens, 0 complete, 1 running, front 0" in display.status()
        display.finished(replace(whole, curve=curve))
    lines = [line for line in out.getvalue().splitlines() if line.startswith("trial 0")]
    assert lines[1].startswith("trial 0 paused at 62.5k of 500k tokens") and "perplexity" in lines[1]
    assert lines[2].startswith("trial 0 resumed") and lines[3].startswith("trial 0 complete")
    assert "500k of 2M tokens, 1 complete, front 1" in out.getvalue()
