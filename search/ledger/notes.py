"""What a user should know of how far a ledger can be relied on: the notes, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from search.ledger.attributes import CANDIDATE
from search.ledger.checks import CHECK
from search.ledger.folder import JOURNAL
from search.ledger.journal import JournalLines

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def left_out(damaged: Mapping[int, str]) -> Iterator[str]:
    """A note for each damaged trial."""
    for number, what in damaged.items():
        yield f"left out trial {number}, which is damaged: {what}"


def uncheckable(lines: JournalLines, trials: Iterable[FrozenTrial]) -> Iterator[str]:
    """What cannot be checked of a journal: all of it, trials that an earlier version recorded, or its end."""
    ended = [trial for trial in trials if trial.state.is_finished() and CANDIDATE in trial.user_attrs]
    without = [trial.number for trial in ended if CHECK not in trial.user_attrs]
    if without and not lines.summed:
        yield "recorded by an earlier version, without checksums: damage to its journal would not be noticed"
    elif without:
        verb = "was" if len(without) == 1 else "were"
        it = "it" if len(without) == 1 else "they"
        yield (
            f"{list_trials(without)} {verb} recorded by an earlier version, without checksums: {it} cannot be checked"
        )
    if ended and not without and not lines.summed:
        yield f"{JOURNAL}.sums is missing: trials are whole, but some may be missing at the end"
    elif lines.summed and lines.unsummed > 1:
        yield f"the last {lines.unsummed} lines of {JOURNAL} are not in {JOURNAL}.sums: its end cannot be checked"


def list_trials(numbers: Iterable[int]) -> str:
    """Trials by number, neighbours together: ``trials 0 to 2, 5``."""
    ordered = sorted(set(numbers))
    breaks = [index for index, (one, next_) in enumerate(pairwise(ordered), start=1) if next_ > one + 1]
    runs = [ordered[begin:end] for begin, end in pairwise([0, *breaks, len(ordered)])]
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"trial{'s' if len(ordered) > 1 else ''} {', '.join(parts)}"
