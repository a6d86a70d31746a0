"""The commands about the results of searches: `pareto`, `report`, `reproduce`, `confirm`, `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from msarch.units import parse_bytes
from search.cli.options import (
    FiguresOption,
    MemoryOption,
    ResultsArgument,
    RowsOption,
    SetOption,
    SkipOption,
    TrialOption,
    above_zero,
    complete_cost,
    complete_results,
    parse_option,
    with_conditions,
    words,
)
from search.results.conditions import Conditions


@with_conditions
def pareto(
    results: ResultsArgument,
    conditions: Conditions,
    max_memory: MemoryOption = None,
    fmt: RowsOption = "table",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the report there.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw the front there.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw the front there.")] = None,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    skip_damaged: SkipOption = False,
) -> None:
    """Show the Pareto front of a search.

    "What if" options profile its trials again under other conditions; perplexity stays as trained.
    """
    from search.cli.results import show_front

    limit = parse_option("--max-memory", parse_bytes, max_memory)
    pictures = (png, svg)
    show_front(
        results,
        conditions,
        max_memory=limit,
        fmt=fmt,
        html=html,
        pictures=pictures,
        open_report=open_report,
        skip_damaged=skip_damaged,
    )


def report(
    results: ResultsArgument,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Where; RESULTS/report.html by default.")] = None,
    plotly: Annotated[
        str,
        typer.Option(
            metavar="inside|beside",
            help="Where Plotly's 4.8 MB stand: in the page, or in a file that pages share.",
            autocompletion=words("inside", "beside"),
        ),
    ] = "inside",
    skip_damaged: SkipOption = False,
) -> None:
    """Write the report of a search again, as one page."""
    from search.cli.results import write_report

    write_report(results, html, plotly=plotly, skip_damaged=skip_damaged)


def reproduce(
    results: ResultsArgument,
    trial: TrialOption = "best",
    max_memory: MemoryOption = None,
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be trained, and stop.")] = False,
    skip_damaged: SkipOption = False,
) -> None:
    """Train a trial again and compare it with its record.

    The exit status is 1 where they disagree.
    """
    from search.cli.results import reproduce_trial

    limit = parse_option("--max-memory", parse_bytes, max_memory)
    status = reproduce_trial(results, trial, limit, overrides or [], dry_run=dry_run, skip_damaged=skip_damaged)
    raise typer.Exit(status)


def confirm(
    results: ResultsArgument,
    seeds: Annotated[int, typer.Option(parser=above_zero, metavar="N", help="Further seeds of each model.")] = 5,
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show how much would be trained, and stop.")] = False,
    fmt: FiguresOption = "table",
) -> None:
    """Train the front with further seeds: how sure is it?

    The best vanilla model of no more memory is trained beside each multi-scale one. Run the same command again to
    resume.
    """
    from search.cli.confirm import confirm_front

    confirm_front(results, seeds, overrides or [], fmt=fmt, dry_run=dry_run)


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS...",
            help="Two or more results folders.",
            autocompletion=complete_results,
            show_default=False,
        ),
    ],
    by: Annotated[
        str,
        typer.Option(
            metavar="perplexity|bits_per_byte",
            help="The quality; what the first search minimised without it.",
            autocompletion=words("perplexity", "bits_per_byte"),
        ),
    ] = "",
    cost: Annotated[
        str, typer.Option(metavar="COST", help="What a model costs.", autocompletion=complete_cost)
    ] = "memory",
    fmt: RowsOption = "table",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with the fronts.")] = None,
    skip_damaged: SkipOption = False,
) -> None:
    """Set searches side by side: which is better, and where.

    Shows their fronts, their hypervolumes, and which leads at which memory.
    """
    from search.cli.compare import show_comparison

    show_comparison(results, by=by, cost=cost, fmt=fmt, html=html, skip_damaged=skip_damaged)
