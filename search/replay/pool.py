"""The models of a table as designs that the strategy "front" may start."""

from __future__ import annotations

from collections.abc import Sequence

from search.ledger.records import TrialRecord
from search.propose.front.strategy import Design
from search.replay.table import Table


class TablePool:
    """In place of what a search draws from its space."""

    def __init__(self, table: Table) -> None:
        self._designs = {
            model.record.candidate.digest(): Design(model.params, model.record.candidate, model.record.profile)
            for model in table.models
        }

    def __call__(self, records: Sequence[TrialRecord]) -> list[Design]:
        """Those that were not proposed yet."""
        tried = {record.candidate.digest() for record in records}
        return [design for digest, design in self._designs.items() if digest not in tried]

    @property
    def refused(self) -> Sequence[str]:
        """None: a table holds no design that its limits exclude."""
        return ()
