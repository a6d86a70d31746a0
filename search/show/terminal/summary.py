"""The last lines of a search: what became of the trials, and what to do next."""

from __future__ import annotations

from collections import Counter

from msarch.units import format_bytes
from search.propose.false_prunes import false_prunes
from search.results.front import hypervolume, reference_point
from search.results.results import Results


def summary_lines(results: Results, *, spent: bool = True) -> list[str]:
    """Counts by state, the pruner's measured error, hypervolume with its reference point, report, next command.

    Args:
        spent: whether the budget is; else the same command resumes paused trials as it is.
    """
    counts = Counter(record.shown_state for record in results.records)
    lines = [", ".join(f"{number} {state}" for state, number in counts.most_common())]
    if spent and counts["paused"]:
        lines.append("with a larger --tokens or --trials the same command resumes the most promising paused trials")
    wrong, controls = false_prunes(results.records, results.objectives)
    if controls:
        lines.append(
            f"pruner: {controls} trials that it would have stopped ran on as controls; {wrong} of them proved it wrong"
        )
    if results.front:
        corner = reference_point(results.records, results.objectives, results.limits)
        volume = hypervolume(results.records, results.objectives, reference=corner)
        against = ", ".join(f"{name} {_shown(name, value)}" for name, value in corner.items())
        lines.append(f"hypervolume {volume:.3f} over logarithms, up to {against}")
    lines.append(f"report: {results.folder / 'report.html'}")
    if results.front:
        lines.append(f"again:  msarch reproduce {results.folder} --trial best")
    return lines


def _shown(name: str, value: float) -> str:
    return format_bytes(value) if name.startswith(("memory", "cache")) else f"{value:g}"
