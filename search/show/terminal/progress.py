"""How fast a running search trains, and how long it will still take.

Time counts from the first training step of any trial: the start of Ray and of its workers is not training. Between
two validations a trial is taken to train at the speed it had before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.records import TRAINED, TrialRecord


@dataclass
class RunningTrial:
    """A trial that was handed to a worker.

    Attributes:
        candidate: None if its start was not reported.
        earlier: tokens it was trained on in an earlier run.
        began: when its training steps began in this run; None while its worker starts.
        tokens: tokens at its last validation; `seen` is when that was.
        ahead: tokens at its next validation.
    """

    candidate: Candidate | None
    earlier: int = 0
    began: float | None = None
    tokens: int = 0
    seen: float = 0.0
    ahead: int = 0

    def tokens_at(self, now: float) -> float:
        """Tokens that it has probably been trained on by now."""
        if self.began is None or self.seen <= self.began:
            return self.tokens
        speed = (self.tokens - self.earlier) / (self.seen - self.began)
        return max(self.tokens, min(self.tokens + speed * (now - self.seen), self.ahead))


class Progress:
    """Counts what the trials of a search have trained.

    Args:
        total: trials to be trained, infeasible and duplicate ones do not count; None where tokens are counted.
        tokens_per_trial: training tokens of one whole trial; 0 where unknown.
        records: trials of an earlier run of the same search.
        clock: seconds, rising.
        total_tokens: training tokens of the whole search, where these are counted.
    """

    def __init__(
        self,
        total: int | None,
        tokens_per_trial: int,
        records: Sequence[TrialRecord],
        clock: Callable[[], float],
        total_tokens: int | None = None,
    ) -> None:
        self.total, self._tokens_per_trial, self._clock = total, tokens_per_trial, clock
        self.total_tokens = total_tokens
        self._records: dict[int, TrialRecord] = {}
        self._earlier: dict[int, int] = {}  # tokens of an earlier run, by trial
        self._running: dict[int, RunningTrial] = {}
        self._most_at_once = 0
        self.training_since: float | None = None
        self.resume(records)

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial known, but for those that run."""
        return list(self._records.values())  # a copy: the live panel is drawn in a thread of its own

    @property
    def running(self) -> dict[int, RunningTrial]:
        """The trials that run, by number."""
        return dict(sorted(self._running.items()))

    def resume(self, records: Sequence[TrialRecord]) -> None:
        """Take in the trials of an earlier run: done, but not at this run's speed."""
        self._records |= {record.number: record for record in records}
        self._earlier |= {record.number: trained_tokens(record) for record in records}

    def started(self, number: int, candidate: Candidate) -> None:
        """A trial was handed to a worker; one that has ended already is ignored."""
        known = self._records.get(number)
        if known is not None and known.state != "running" and not known.paused:
            return
        trial = self._of(number)
        trial.candidate = candidate
        trial.ahead = trial.ahead or round(candidate.training.rungs[0] * candidate.training.tokens)
        self._most_at_once = max(self._most_at_once, len(self._running))

    def training(self, number: int) -> None:
        """A trial's training steps begin."""
        now = self._clock()
        self._of(number).began = now
        self.training_since = now if self.training_since is None else self.training_since

    def validated(self, number: int, point: Validation) -> None:
        """A trial that runs reached a rung."""
        trial = self._running.get(number)
        if trial is None:
            return
        if trial.began is None:  # its start was not reported: its own seconds give it
            trial.began = self._clock() - point.seconds
            self.training_since = min(trial.began, self.training_since or trial.began)
        trial.tokens, trial.seen = max(point.tokens, trial.tokens), self._clock()
        if trial.candidate is not None:
            training = trial.candidate.training
            trial.ahead = round(training.rungs[min(point.rung + 1, len(training.rungs) - 1)] * training.tokens)

    def is_paused(self, number: int) -> bool:
        """Whether that trial is paused."""
        return number in self._records and self._records[number].paused and number not in self._running

    def finished(self, record: TrialRecord) -> None:
        """A trial reached its final state, trained or not, or is paused."""
        self._running.pop(record.number, None)
        self._records[record.number] = record

    def tokens_per_second(self) -> float:
        """Training tokens of this run per second, all trials together; 0 before the first validation."""
        if self.training_since is None or self._clock() <= self.training_since:
            return 0.0
        tokens = sum(max(0.0, count - self._earlier.get(number, 0)) for number, count in self._seen().items())
        return tokens / (self._clock() - self.training_since)

    def tokens(self) -> float:
        """Training tokens of all trials so far, those of earlier runs included."""
        return sum(self._seen().values())

    def _seen(self) -> dict[int, float]:
        """Tokens of each trial so far."""
        now = self._clock()
        seen = {number: float(trained_tokens(record)) for number, record in dict(self._records).items()}
        return seen | {number: trial.tokens_at(now) for number, trial in self.running.items()}

    def seconds_left(self) -> float | None:
        """Seconds until `total` trials are trained, at the speed so far; None while that is unknown.

        A trial to come is taken to cost what trained ones did on average, since some of them will be pruned. Where
        fewer trials are left than run at a time, only as many train at once.
        """
        speed = self.tokens_per_second()
        if speed and self.total_tokens is not None:
            return max(0.0, self.total_tokens - self.tokens()) / speed
        if not speed or not self._tokens_per_trial or self.total is None:
            return None
        spent = [trained_tokens(record) for record in self.records if record.state in TRAINED]
        each = sum(spent) / len(spent) if spent else self._tokens_per_trial
        to_train, now = max(0, self.total - len(spent)), self._clock()
        under_way = sum(min(trial.tokens_at(now), each) for trial in self.running.values())
        share = min(1.0, to_train / self._most_at_once) if to_train and self._most_at_once else 1.0
        return max(0.0, to_train * each - under_way) / (speed * share)

    def _of(self, number: int) -> RunningTrial:
        known = self._records.get(number)
        earlier = self._earlier.get(number, 0) if known is None else trained_tokens(known)
        return self._running.setdefault(number, RunningTrial(None, earlier=earlier, tokens=earlier))


def trained_tokens(record: TrialRecord) -> int:
    """Tokens that this trial was trained on; a duplicate's are its twin's."""
    return record.curve[-1].tokens if record.curve and record.state != "duplicate" else 0
