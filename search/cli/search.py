"""`msarch search`: launch the search of a space, or tell what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from msarch.units import format_bytes, format_count, format_seconds
from search.cli.text_warnings import text_warnings_to
from search.ledger.folder import JOURNAL
from search.results.results import load_results
from search.run.watcher import Silent
from search.show.terminal.front_table import format_front
from search.space.load import load_space
from search.space.space import Space

if TYPE_CHECKING:
    from rich.status import Status

    from search.run.plan import Plan


def launch_search(
    source: str,
    overrides: Sequence[str],
    *,
    out: Path | None,
    trials: int | None,
    concurrent: int | None,
    time_budget: int | None,
    ray_address: str | None,
) -> None:
    """Run a search with a display, then show its front and where its report is."""
    from search.run.request import check_number
    from search.show.terminal.display import SearchDisplay

    check_number("time_budget", time_budget, key="--time-budget")
    space = load_space(source, overrides)
    folder = out or Path("results") / space.name
    total, tokens = trials or space.search.trials, space.tokens_per_trial
    with (
        SearchDisplay(space.name, total, space.objectives, tokens_per_trial=tokens) as display,
        text_warnings_to(display.message),
    ):
        display.phase("starting")  # at once: what is imported now takes seconds
        from search.run.run_search import run_search

        if (folder / JOURNAL).is_file():
            display.resume(load_results(folder).records)
        run_search(
            source,
            out,
            trials=trials,
            concurrent=concurrent,
            time_budget=time_budget,
            ray_address=ray_address,
            display=display,
            overrides=overrides,
        )
    _show_outcome(folder)


def _show_outcome(folder: Path) -> None:
    from search.show.terminal.summary import summary_lines

    results = load_results(folder)
    print(format_front(results.records, results.objectives))
    for line in summary_lines(results):
        print(line)


def dry_run_search(source: str, overrides: Sequence[str], *, trials: int | None, concurrent: int | None) -> None:
    """Tell how many candidates the limits admit, how many tokens they would read and about how long it takes."""
    console = Console(highlight=False)
    with console.status("starting") as status, text_warnings_to(lambda text: console.print(Text(text))):
        from search.run.plan import plan_search

        space = load_space(source, overrides)
        plan = plan_search(space, trials=trials, concurrent=concurrent, watcher=_StatusWatcher(status))
    table = Table(show_header=False, box=None)
    for name, text in _plan_rows(space, plan):
        table.add_row(name, Text(text))
    console.print(table)


class _StatusWatcher(Silent):
    """Shows phases beside a spinner, on a terminal only."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def phase(self, text: str) -> None:
        self._status.update(text)


def _plan_rows(space: Space, plan: Plan) -> list[tuple[str, str]]:
    time, (slowest, fastest) = plan.time, map(format_count, plan.speed)
    rows = [
        ("space", f"{space.name}: {_size(space)}"),
        ("admitted", f"{plan.admitted} of {plan.sampled} candidates drawn at random ({plan.share:.0%})"),
        *(
            [("excluded", ", ".join(f"{count} by {name}" for name, count in plan.excluded.items()))]
            if plan.excluded
            else []
        ),
        ("memory", " / ".join(map(format_bytes, plan.memory)) + "  smallest / median / largest drawn"),
        ("trials", f"{plan.trials}, {plan.concurrent} at a time"),
        ("tokens", f"{format_count(plan.tokens)} at most"),
        ("speed", f"{slowest} to {fastest} tokens/s a trial; {plan.timed} candidates timed, {plan.measured_on}"),
        ("start", f"{_span(time.startup)}, the end included"),
        ("a trial", f"{_span(time.trial)}, where it is not pruned"),
        ("time", f"{_span(time.seconds)} in all"),
    ]
    if time.prunes:
        rows.append(("", "the upper figure counts on no pruning, the lower one on trials cut by half after the first"))
    return rows


def _span(seconds: tuple[float, float]) -> str:
    low, high = map(format_seconds, seconds)
    return low if low == high else f"{low} to {high}"


def _size(space: Space) -> str:
    combinations = space.combinations()
    return "continuous" if combinations is None else f"{format_count(combinations)} combinations"
