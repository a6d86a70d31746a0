"""Speed and time left of a search, with seconds that pass only when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from msarch.config.candidate import Candidate
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.show.terminal.progress import Progress

SingleMaker = Callable[..., TrialRecord]
TOKENS = 1_000_000
RUNGS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


class Search:
    """A made-up search on one clock: `speed` tokens per second in each trial, two at a time."""

    def __init__(self, record: TrialRecord, total: int, *, earlier: tuple[TrialRecord, ...] = ()) -> None:
        self.now = 100.0
        self.record = record
        self.progress = Progress(total, TOKENS, earlier, lambda: self.now)

    @property
    def candidate(self) -> Candidate:
        training = replace(self.record.candidate.training, tokens=TOKENS, rungs=RUNGS)
        return replace(self.record.candidate, training=training)

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self.progress.started(number, self.candidate)

    def train(self, *numbers: int, seconds: float, rungs: range = range(6)) -> None:
        """Trials of `seconds` each, at the same time, through some of their rungs."""
        for number in numbers:
            self.progress.training(number)
        begin = self.now
        for rung in rungs:
            self.now = begin + seconds * RUNGS[rung]
            for number in numbers:
                self.progress.validated(number, self.point(rung, seconds))
        if rungs[-1] == 5:
            for number in numbers:
                self.finish(number, seconds)

    def point(self, rung: int, seconds: float) -> Validation:
        tokens = round(RUNGS[rung] * TOKENS)
        return Validation(
            rung=rung, step=rung, tokens=tokens, loss=4.0, bits_per_byte=2.0, seconds=RUNGS[rung] * seconds
        )

    def finish(self, number: int, seconds: float) -> None:
        curve = tuple(self.point(rung, seconds) for rung in range(6))
        self.progress.finished(replace(self.record, number=number, candidate=self.candidate, curve=curve))

    def left(self) -> float:
        left = self.progress.seconds_left()
        assert left is not None
        return left


@pytest.fixture
def record(make_record: SingleMaker) -> TrialRecord:
    return make_record(0, 80, 40)


def test_the_start_of_ray_and_of_workers_does_not_count_as_training(record: TrialRecord) -> None:
    """Four trials of 4 s, two at a time, after 45 s of start-up: 8 s are left, whatever came before."""
    search = Search(record, 4)
    search.now += 40
    search.start(0, 1)
    search.now += 5
    assert search.progress.tokens_per_second() == 0 and search.progress.seconds_left() is None
    search.train(0, 1, seconds=4, rungs=range(1))
    assert search.progress.tokens_per_second() == pytest.approx(2 * TOKENS / 4)
    assert search.left() == pytest.approx(8 - 4 / 32)


def test_the_time_left_falls_evenly_between_validations(record: TrialRecord) -> None:
    """From half of a trial to its end nothing is heard: it is taken to train at the speed it had."""
    search = Search(record, 2)
    search.start(0, 1)
    search.train(0, 1, seconds=100, rungs=range(5))
    assert search.left() == pytest.approx(50)
    search.now += 30
    assert search.left() == pytest.approx(20)
    search.now += 60  # slower than it was: at its last rung, not beyond
    assert search.progress.running[0].tokens_at(search.now) == TOKENS


def test_the_last_trial_trains_alone(record: TrialRecord) -> None:
    search = Search(record, 3)
    search.start(0, 1)
    search.train(0, 1, seconds=10)
    assert search.left() == pytest.approx(10)  # not 5: half of the slots stay empty
    search.start(2)
    search.train(2, seconds=10, rungs=range(5))
    assert 5 <= search.left() <= 7


def test_pruned_trials_make_those_to_come_cheaper(record: TrialRecord) -> None:
    search = Search(record, 10)
    search.start(0, 1)
    search.train(0, 1, seconds=10)
    whole = search.left()
    for number in (2, 3):
        pruned = replace(record, number=number, state="pruned", loss=None, curve=(search.point(2, 10),))
        search.progress.finished(pruned)
    assert search.left() < 0.6 * whole


def test_an_earlier_run_counts_as_done_but_not_as_speed(record: TrialRecord) -> None:
    done = tuple(replace(record, number=number) for number in range(3))
    search = Search(record, 4, earlier=done)
    search.now += 60
    assert search.progress.tokens_per_second() == 0
    search.start(3)
    search.train(3, seconds=10, rungs=range(5))
    assert search.progress.tokens_per_second() == pytest.approx(TOKENS / 10)


def test_a_trial_that_goes_on_from_its_checkpoint_is_as_fast_as_it_is_now(record: TrialRecord) -> None:
    search = Search(record, 1)
    half = replace(record, state="running", loss=None, curve=tuple(search.point(rung, 1000) for rung in range(5)))
    search = Search(record, 1, earlier=(half,))
    search.start(0)
    search.progress.training(0)
    search.progress.validated(0, search.point(4, 1000))  # the worker repeats its last report
    assert search.progress.seconds_left() is None
    search.now += 10
    assert search.progress.tokens_per_second() == 0


def test_events_may_be_missing(record: TrialRecord) -> None:
    search = Search(record, 2)
    search.progress.validated(0, search.point(0, 32))
    search.start(0)
    search.progress.validated(0, search.point(0, 32))  # that its training began was never heard
    search.now += 1
    assert search.progress.tokens_per_second() == pytest.approx(TOKENS / 32)
