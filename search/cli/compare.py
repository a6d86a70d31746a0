"""`msarch compare`: several searches side by side."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from msarch.errors import UserError, quoted, unknown
from search.cli.notes import print_notes
from search.cli.output_files import check_folder, writing
from search.cli.text_tables import print_text_table
from search.results.comparison import Comparison, compare_searches, comparison_rows
from search.results.results import load_results
from search.results.tables import trial_row
from search.show.compare.tables import outcome, ranges_table, reference_text, searches_table
from search.show.terminal.console import make_console, print_line, print_with_colours
from search.show.terminal.fitted_table import output_width
from search.show.terminal.front_plot import BLANK
from search.show.terminal.front_table import FORMATS, wants_colour
from search.show.terminal.fronts_plot import fronts_plot


def show_comparison(
    folders: Sequence[Path], *, by: str, cost: str, fmt: str, html: Path | None, skip_damaged: bool
) -> None:
    """Write the page where asked, then print who leads where; notes go to standard error."""
    if fmt not in FORMATS:
        raise UserError(unknown("format", fmt, FORMATS), key="--format")
    if html is not None and html.suffix != ".html":
        raise UserError(f"{quoted(html.name)} must end in .html: a comparison is a web page", key="--html")
    check_folder(html)
    searches = [load_results(folder, skip_damaged=skip_damaged) for folder in folders]
    comparison = compare_searches(searches, by, cost)
    print_notes([*(note for results in searches for note in results.notes), *comparison.notes])
    if html is not None:
        from search.show.compare.page import write_comparison

        with writing(html):
            write_comparison(html, comparison)
    match fmt:
        case "table":
            _print_tables(comparison)
        case "csv":
            print_line(_as_csv(comparison))
        case "json":
            print_line(json.dumps(_as_dict(comparison), indent=2))


def _print_tables(comparison: Comparison) -> None:
    console = make_console(soft_wrap=not sys.stdout.isatty())
    drawn = fronts_plot(comparison, colour=wants_colour(), width=output_width()) if _can_draw() else ""
    if drawn:
        print_with_colours(drawn)
    for table in (searches_table(comparison), ranges_table(comparison)):
        print_text_table(table)
    console.print(Text(f"{outcome(comparison)} Reference point: {reference_text(comparison)}."))


def _can_draw() -> bool:
    try:
        BLANK.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _as_csv(comparison: Comparison) -> str:
    rows = list(comparison_rows(comparison))
    lines = io.StringIO()
    writer = csv.DictWriter(lines, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"leaders": "; ".join(row["leaders"])} for row in rows)
    return lines.getvalue().rstrip("\n")


def _as_dict(comparison: Comparison) -> dict[str, Any]:
    return {
        "quality": comparison.plane[0],
        "cost": comparison.plane[1],
        "reference": dict(comparison.reference),
        "searches": [
            {
                "name": each.name,
                "complete": each.complete,
                "tokens": each.tokens,
                "hypervolume": each.hypervolume,
                "leads": each.share,
                "unbeaten": [record.number for record in each.kept],
                "front": [trial_row(record) for record in each.front],
            }
            for each in comparison.contenders
        ],
        "hypervolume_together": comparison.together,
        "ranges": list(comparison_rows(comparison)),
        "notes": list(comparison.notes),
    }
