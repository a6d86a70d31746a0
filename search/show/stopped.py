"""What trials that were stopped early are called: paused where they may be resumed, pruned where they may not."""

from __future__ import annotations

from collections.abc import Iterable

from search.ledger.records import TrialRecord


def stopped_word(records: Iterable[TrialRecord]) -> str:
    """``paused``, ``pruned``, or ``paused or pruned`` where there are both; ``pruned`` where there are none."""
    states = sorted({record.shown_state for record in records if record.state == "pruned"})
    return " or ".join(states) or "pruned"
