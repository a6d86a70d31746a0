"""A search's trials under other conditions than those they were trained under: what each would need, and which win.

Perplexity stays as trained. Nothing in the results folder is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.conditions import Conditions

Progress = Callable[[Sequence[TrialRecord]], Iterable[TrialRecord]]


def records_under(
    records: Iterable[TrialRecord], conditions: Conditions, progress: Progress = lambda records: records
) -> tuple[list[TrialRecord], list[str]]:
    """The complete trials with their figures under `conditions`, and why the others cannot run under them.

    All complete ones are profiled, not those of the old front alone, since the front changes. Trials that were
    pruned or never trained are left out. `progress` wraps the trials while they are profiled.
    """
    from msarch.memory.candidate_profile import profile_candidate

    conditions.check()
    candidates: dict[int, Candidate] = {}
    refused: list[str] = []
    complete = [record for record in records if record.state == "complete"]
    for record in complete:
        try:
            candidates[record.number] = conditions.apply(record.candidate)
        except UserError as error:
            refused.append(f"trial {record.number} cannot: {error.message}")
    found = []
    for record in progress([record for record in complete if record.number in candidates]):
        candidate = candidates[record.number]
        profile = profile_candidate(candidate) | {"step_seconds": metric(record, "step_seconds")}  # as trained
        found.append(replace(record, candidate=candidate, profile=profile, memory_measured_bytes=None))
    return found, refused
