"""`msarch search`: launch the search of a space, or estimate its cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from msarch.units import format_bytes, format_count, format_seconds
from search.cli.notes import print_notes
from search.cli.text_warnings import text_warnings_to
from search.ledger.folder import JOURNAL
from search.results.results import load_results
from search.run.watcher import Silent
from search.show.terminal.console import make_console, print_line
from search.show.terminal.fitted_table import FittedColumn, FittedTable
from search.show.terminal.front_table import print_front
from search.space.load import load_space
from search.space.space import Space

if TYPE_CHECKING:
    from rich.status import Status

    from search.run.budget import Budget
    from search.run.plan import Plan
    from search.space.schema.search import Keep


def launch_search(
    source: str,
    overrides: Sequence[str],
    *,
    out: Path | None,
    trials: int | None,
    tokens: int | None,
    concurrent: int | None,
    time_budget: int | None,
    ray_address: str | None,
    keep: Keep | None,
    tensorboard: bool,
) -> None:
    """Run a search with a display, then show its front and where its report is."""
    from search.run.budget import Budget
    from search.run.request import check_number, check_pays
    from search.show.terminal.display import SearchDisplay

    check_number("time_budget", time_budget, key="--time-budget")
    space = load_space(source, overrides)
    check_pays(space, trials, tokens)  # before the display says that a folder's search goes on
    folder = out or Path("results") / space.name
    budget = Budget.of(space, trials=trials, tokens=tokens)
    with (
        SearchDisplay(
            space.name,
            budget.trials,
            space.objectives,
            tokens_per_trial=space.tokens_per_trial,
            total_tokens=budget.tokens,
        ) as display,
        text_warnings_to(display.message),
    ):
        display.phase("starting")  # at once: the imports below take seconds
        from search.run.run_search import run_search

        if (folder / JOURNAL).is_file():
            display.resume(load_results(folder).records)
        run_search(
            source,
            out,
            trials=trials,
            tokens=tokens,
            concurrent=concurrent,
            time_budget=time_budget,
            ray_address=ray_address,
            keep=keep,
            display=display,
            overrides=overrides,
            tensorboard=tensorboard,
        )
    _show_outcome(folder, budget, space)


def _show_outcome(folder: Path, budget: Budget, space: Space) -> None:
    from search.show.terminal.summary import summary_lines

    results = load_results(folder)
    print_notes(results.notes)
    print_front(results.records, results.objectives)
    for line in summary_lines(results, spent=budget.spent(results.records, space)):
        print_line(line)


def dry_run_search(
    source: str, overrides: Sequence[str], *, trials: int | None, tokens: int | None, concurrent: int | None
) -> None:
    """Print how many candidates the limits admit, how many tokens they would read and about how long it takes."""
    console = make_console()
    with console.status("starting") as status, text_warnings_to(lambda text: console.print(Text(text))):
        from search.run.plan import plan_search

        space = load_space(source, overrides)
        plan = plan_search(space, trials=trials, tokens=tokens, concurrent=concurrent, watcher=_StatusWatcher(status))
    console.print(plan_table(space, plan))


class _StatusWatcher(Silent):
    """Shows phases beside a spinner, on a terminal only."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def phase(self, text: str) -> None:
        self._status.update(text)


def plan_table(space: Space, plan: Plan) -> FittedTable:
    """What to expect of a search, a row for each figure, under the space and its size."""
    names, figures = zip(*_plan_rows(plan), strict=True)
    return FittedTable(
        [FittedColumn(space.name, names, text=True), FittedColumn(_size(space), figures, text=True)],
    )


def _plan_rows(plan: Plan) -> list[tuple[str, str]]:
    time, (slowest, fastest) = plan.time, map(format_count, plan.speed)
    excluded = ", ".join(f"{count} by {name}" for name, count in plan.excluded.items())
    smallest, middle, largest = map(format_bytes, plan.memory)
    rows = [
        ("admitted", f"{plan.admitted} of {plan.sampled} candidates drawn at random ({plan.share:.0%})"),
        *([("excluded", excluded)] if excluded else []),
        ("memory", f"{smallest} smallest, {middle} median, {largest} largest"),
        *_budget_rows(plan),
        ("speed", f"{slowest} to {fastest} tokens/s a trial; {plan.timed} candidates timed, {plan.measured_on}"),
        ("overhead", f"{_span(time.startup)} to start Ray and to write the report"),
        ("a trial", f"{_span(time.trial)} unless it is {'paused' if plan.strategy == 'front' else 'pruned'}"),
        ("time", f"{_span(time.seconds)} in all"),
    ]
    if time.prunes:
        rows.append(("", "the upper figure assumes no pruning, the lower one that later trials take half their time"))
    return rows


def _budget_rows(plan: Plan) -> list[tuple[str, str]]:
    at_a_time, tokens = f"{plan.concurrent} at a time", format_count(plan.tokens)
    if plan.concurrent < plan.slots:
        at_a_time += f" on average: more of {plan.slots} have no room in the free memory"
    if plan.strategy == "front":
        rows = [("tokens", f"{tokens}, as {plan.trials:,} whole trainings take"), ("trials", at_a_time)]
    else:
        rows = [("trials", f"{plan.trials:,}, {at_a_time}"), ("tokens", f"{tokens} at most")]
    if plan.trials < plan.wanted:
        rows.append(
            ("", f"these are all {plan.trials:,} candidates of the space, though {plan.wanted:,} were asked for")
        )
    return rows


def _span(seconds: tuple[float, float]) -> str:
    low, high = map(format_seconds, seconds)
    return low if low == high else f"{low} to {high}"


def _size(space: Space) -> str:
    combinations = space.combinations()
    return "continuous" if combinations is None else f"{format_count(combinations)} combinations"
