"""What trials that were stopped early are called, paused or pruned, and how far they came."""

from __future__ import annotations

from collections.abc import Iterable

from msarch.perplexity import format_perplexity, perplexity
from msarch.units import format_count
from search.ledger.records import TrialRecord


def stopped_word(records: Iterable[TrialRecord]) -> str:
    """``paused``, ``pruned``, or ``paused or pruned`` where there are both; ``pruned`` where there are none.

    A paused trial may be resumed, a pruned one may not.
    """
    states = sorted({record.shown_state for record in records if record.state == "pruned"})
    return " or ".join(states) or "pruned"


def last_validation(record: TrialRecord) -> str:
    """``perplexity 93.12 after 62k tokens`` of a trial that has no final figure; empty for any other."""
    if record.loss is not None or not record.curve:
        return ""
    last = record.curve[-1]
    return f"perplexity {format_perplexity(perplexity(last.loss))} after {format_count(last.tokens)} tokens"
