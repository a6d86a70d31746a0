"""Whether a trial continues after a rung: its point is recorded together with the pruner's verdict."""

from __future__ import annotations

from dataclasses import replace

from msarch.training.validation import Validation
from search.ledger.attributes import CONTINUE, CONTROL, PRUNE, Verdict
from search.ledger.ledger import Ledger
from search.ledger.records import TrialRecord
from search.propose.mirror import Mirror
from search.run.watcher import Watcher


class Judge:
    """Asks the pruner once for each rung of each trial."""

    def __init__(self, ledger: Ledger, mirror: Mirror, watcher: Watcher) -> None:
        self._ledger, self._mirror, self._watcher = ledger, mirror, watcher

    def verdict(self, number: int, point: Validation) -> Verdict:
        """The verdict on a trial at a rung. A verdict already given, before a restart, is repeated."""
        known = self._ledger.verdict(number, point.rung)
        if known is not None:
            return known
        before = self._ledger.record(number)
        self._mirror.report(replace(before, curve=(*before.curve, point)))
        verdict = self._ask_pruner(before, point)
        self._ledger.record_rung(number, point, verdict)
        self._watcher.validated(number, point)
        return verdict

    def _ask_pruner(self, record: TrialRecord, point: Validation) -> Verdict:
        if point.rung == len(record.candidate.training.rungs) - 1:
            return CONTINUE
        if self._mirror.should_prune(record.number):
            return PRUNE
        return CONTROL if record.control_rung is None and self._mirror.is_control(record.number) else CONTINUE
