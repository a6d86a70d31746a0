"""Whether a trial continues after a rung: its point is recorded together with the verdict."""

from __future__ import annotations

from dataclasses import replace

from msarch.training.validation import Validation
from search.ledger.attributes import Verdict
from search.ledger.ledger import Ledger
from search.propose.mirror import Mirror
from search.run.source import Source
from search.run.watcher import Watcher


class Judge:
    """Asks the strategy once for each rung of each trial."""

    def __init__(self, ledger: Ledger, mirror: Mirror, source: Source, watcher: Watcher) -> None:
        self._ledger, self._mirror, self._source, self._watcher = ledger, mirror, source, watcher

    def verdict(self, number: int, point: Validation) -> Verdict:
        """The verdict on a trial at a rung. A verdict already given, before a restart, is repeated."""
        known = self._ledger.verdict(number, point.rung)
        if known is not None:
            return known
        before = self._ledger.record(number)
        record = replace(before, curve=(*before.curve, point), seconds=point.seconds)
        self._mirror.report(record)
        verdict = self._source.verdict(record)
        self._ledger.record_rung(number, point, verdict)
        self._watcher.validated(number, point)
        return verdict
