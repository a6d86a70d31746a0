"""What a running search shows: a live panel on a terminal, plain lines in a log. Nothing else writes to the console.

Events may come in any order and more than once; the display never ends a search. NO_COLOR is respected.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from msarch.config.candidate import Candidate
from msarch.perplexity import format_perplexity, perplexity
from msarch.training.validation import Validation
from msarch.units import format_bytes, format_count, format_seconds
from search.ledger.records import TRAINED, TrialRecord
from search.results.front import pareto_front
from search.show.terminal.console import make_console
from search.show.terminal.front_table import format_figure, front_table
from search.show.terminal.progress import Progress, RunningTrial
from search.space.objectives import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    from rich.live import Live

STATUS_SECONDS = 15
FIRST_STEPS = "first training steps"


class SearchDisplay:
    """Shows one search. Use it as a context manager; `message` writes a line above everything else.

    Args:
        title: the name of the space.
        total: trials to be trained, infeasible and duplicate ones are not counted; None where tokens are.
        objectives: those of the front shown.
        tokens_per_trial: training tokens of one whole trial, for the time left; 0 where it is not known.
        console: where to write; standard output by default.
        records: trials of an earlier run of the same search.
        clock: seconds, rising.
        total_tokens: training tokens of the whole search, in place of `total`.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        objectives: Sequence[str] = DEFAULT_OBJECTIVES,
        *,
        tokens_per_trial: int = 0,
        records: Sequence[TrialRecord] = (),
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        total_tokens: int | None = None,
    ) -> None:
        self.console = console or make_console()
        self._title, self._objectives, self._clock = title, tuple(objectives), clock
        self._progress = Progress(total, tokens_per_trial, records, clock, total_tokens)
        self._phase = ""
        self._begun = self._last_status = clock()
        self._live: Live | None = None

    def __enter__(self) -> SearchDisplay:
        self._begun = self._last_status = self._clock()
        if self.console.is_interactive and not self.console.no_color:
            from rich.live import Live

            # transient: the caller prints the final front; a copy of the panel would stand above it
            self._live = Live(
                get_renderable=self._panel,
                console=self.console,
                refresh_per_second=2,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._phase = ""
        # A search that ended before its first trial has no summary: only its error is shown.
        if self._progress.running or self._progress.records:
            self.message(self.status())

    def resume(self, records: Sequence[TrialRecord]) -> None:
        """Take in the trials of an earlier run of the same search."""
        self._progress.resume(records)

    def phase(self, text: str) -> None:
        """What the search does before its first trial trains: on the panel, or a line of its own."""
        if text and text != self._phase and self._live is None:
            self.message(text)
        self._phase = text

    def started(self, number: int, candidate: Candidate, profile: Mapping[str, Any]) -> None:
        """A trial was handed to a worker, new or to continue from its checkpoint."""
        resumed = self._progress.is_paused(number)
        self._progress.started(number, candidate)
        self._end_phase()
        if self._live is None and resumed:
            self.message(f"trial {number} resumed  {_architecture(candidate)}")
        elif self._live is None:
            memory = f"  memory {format_bytes(profile['memory_bytes'])}" if "memory_bytes" in profile else ""
            self.message(f"trial {number} started  {_architecture(candidate)}{memory}")

    def training(self, number: int) -> None:
        """A trial's first training step begins."""
        if self._progress.training_since is None:
            self.phase(FIRST_STEPS)
        self._progress.training(number)

    def validated(self, number: int, point: Validation) -> None:
        """A running trial reached a rung."""
        self._progress.validated(number, point)
        self._phase = ""
        self._status_line()

    def paused(self, record: TrialRecord) -> None:
        """A trial waits, and may be resumed."""
        self._progress.finished(record)
        self._end_phase()
        if self._live is None:
            self.message(paused_line(record))
            self._status_line()

    def finished(self, record: TrialRecord) -> None:
        """A trial reached its final state, trained or not."""
        self._progress.finished(record)
        self._end_phase()
        if self._live is None:
            self.message(trial_line(record))
            self._status_line()

    def message(self, text: str) -> None:
        """Writes one line, above the live panel where there is one."""
        self.console.print(Text(text), soft_wrap=True)

    def status(self) -> str:
        """One line: the phase, counts by state, tokens per second over all trials, time spent and left."""
        progress = self._progress
        waiting = [record for record in progress.records if record.number not in progress.running]
        counts = Counter(one.shown_state for one in waiting if one.state != "running")
        trained = sum(counts[state] for state in TRAINED)
        words = [self._phase] if self._phase else []
        words += [self._done(trained, counts["complete"])]
        words += [f"{len(progress.running)} running"] if progress.running else []
        words += [f"{n} {state}" for state, n in counts.items() if state != "complete" and n]
        words += [f"front {len(self._front())}"]
        speed, left = progress.tokens_per_second(), progress.seconds_left()
        words += [f"{format_count(speed)} tokens/s"] if speed else []
        words += [format_seconds(self._clock() - self._begun)]
        is_left = trained < progress.total if progress.total is not None else bool(left)
        words += [f"about {format_seconds(left)} left"] if left is not None and is_left else []
        return ", ".join(words)

    def _done(self, trained: int, complete: int) -> str:
        """How much of the budget is spent."""
        progress = self._progress
        if progress.total_tokens is None:
            return f"{trained} of {progress.total} trials done"
        return f"{format_count(progress.tokens())} of {format_count(progress.total_tokens)} tokens, {complete} complete"

    def _end_phase(self) -> None:
        """The workers' start lasts until one of them trains; what is encoded later ends with the next event."""
        if self._progress.training_since is not None and self._phase != FIRST_STEPS:
            self._phase = ""

    def _front(self) -> list[TrialRecord]:
        return pareto_front(self._progress.records, self._objectives)

    def _status_line(self) -> None:
        now = self._clock()
        if self._live is None and now - self._last_status >= STATUS_SECONDS:
            self._last_status = now
            self.message(self.status())

    def _panel(self) -> Group:
        lines: list[RenderableType] = [Text.assemble((self._title, "bold"), "  ", self.status())]
        running = [self._about(number, trial) for number, trial in self._progress.running.items()]
        if running:
            lines.append(Text(f"running: {', '.join(running)}", style="dim"))
        if self._front():
            lines.append(front_table(self._progress.records, self._objectives))
        return Group(*lines)

    def _about(self, number: int, trial: RunningTrial) -> str:
        if trial.candidate is None:
            return str(number)
        share = trial.tokens_at(self._clock()) / trial.candidate.training.tokens
        return f"{number} {_architecture(trial.candidate)} {share:.0%}"


def trial_line(record: TrialRecord) -> str:
    """`trial 12 complete  top_down 4@4 2@1 d=64  perplexity 93.12  memory 41 MiB`."""
    words = [f"trial {record.number} {record.state}", _architecture(record.candidate)]
    if record.loss is not None:
        words.append(f"perplexity {format_figure(record, 'perplexity')}")
    elif record.curve:
        words.append(f"loss {record.curve[-1].loss:.3f} after {format_count(record.curve[-1].tokens)} tokens")
    if record.state == "infeasible" and record.violation:
        words.append(record.violation)
    elif "memory_bytes" in record.profile:
        words.append(f"memory {format_figure(record, 'memory_bytes')}")
    words += [f"same as trial {record.twin}"] if record.twin is not None else []
    return "  ".join([*words, record.error] if record.error else words)


def paused_line(record: TrialRecord) -> str:
    """`trial 7 paused at 62k of 500k tokens  top_down 4@4 2@1 d=64  perplexity 93.12`."""
    tokens = f"{format_count(record.curve[-1].tokens)} of {format_count(record.candidate.training.tokens)} tokens"
    loss = f"perplexity {format_perplexity(perplexity(record.curve[-1].loss))}"
    return "  ".join([f"trial {record.number} paused at {tokens}", _architecture(record.candidate), loss])


def _architecture(candidate: Candidate) -> str:
    return f"{candidate.model.variant} {candidate.model.layers} d={candidate.model.d_model}"
