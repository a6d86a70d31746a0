"""A report of made-up trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from search.ledger.records import TrialRecord
from search.show.report.report import write_report

MIB = 2**20
LIMITS = {"memory": 90 * MIB}
OBJECTIVES = ("perplexity", "memory")


def written(path: Path, records: Sequence[TrialRecord], **changes: Any) -> str:
    given: dict[str, Any] = {
        "title": "quickstart",
        "objectives": OBJECTIVES,
        "limits": LIMITS,
        "environment": {"python": "3.11", "packages": {"torch": "2.13.0"}, "processor": "a <b>processor</b>"},
        "results": "results/quickstart",
    }
    write_report(path, records, **(given | changes))
    return path.read_text(encoding="utf-8")


@pytest.fixture
def write() -> Callable[..., str]:
    """`write(path, records, **changes)`: a report, and its text."""
    return written
