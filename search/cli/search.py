"""`msarch search`: launch the search of a space, or tell what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from msarch.units import format_bytes, format_count, format_seconds
from search.cli.text_warnings import text_warnings_to
from search.ledger.folder import JOURNAL
from search.results.results import load_results
from search.show.terminal.front_table import format_front
from search.space.limits import check_limits
from search.space.load import load_space
from search.space.space import Space


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
    from search.run.run_search import run_search
    from search.show.terminal.display import SearchDisplay

    space = load_space(source, overrides)
    folder = out or Path("results") / space.name
    earlier = load_results(folder).records if (folder / JOURNAL).is_file() else []
    display = SearchDisplay(
        space.name,
        trials or space.search.trials,
        space.objectives,
        tokens_per_trial=space.tokens_per_trial,
        records=earlier,
    )
    with display, text_warnings_to(display.message):
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
    from search.run.plan import plan_search

    space = load_space(source, overrides)
    check_limits(space)
    console = Console(highlight=False)
    with console.status("drawing candidates, profiling them, and timing a few training steps"):
        plan = plan_search(space, trials=trials, concurrent=concurrent)
    table = Table(show_header=False, box=None)
    rows = [
        ("space", f"{space.name}: {_size(space)}"),
        ("admitted", f"{plan.admitted} of {plan.sampled} candidates drawn at random ({plan.share:.0%})"),
        ("memory", " / ".join(map(format_bytes, plan.memory)) + "  smallest / median / largest drawn"),
        ("trials", f"{plan.trials}, {plan.concurrent} at a time"),
        ("tokens", f"{format_count(plan.tokens)} at most; pruning usually saves about half"),
        ("speed", f"{format_count(plan.tokens_per_second)} tokens/s for a median candidate, {plan.measured_on}"),
        ("time", f"{plan.hours:.2g} hours at most ({format_seconds(plan.hours * 3600)})"),
    ]
    for name, text in rows:
        table.add_row(name, Text(text))
    console.print(table)


def _size(space: Space) -> str:
    combinations = space.combinations()
    return "continuous" if combinations is None else f"{format_count(combinations)} combinations"
