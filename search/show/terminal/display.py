"""What a running search shows: a live panel on a terminal, plain lines in a log. The one owner of the console.

Events may come in any order and more than once; the display never ends a search. NO_COLOR is honoured.
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
from msarch.units import format_bytes, format_count, format_seconds
from search.ledger.records import CurvePoint, TrialRecord
from search.results.front import pareto_front
from search.show.terminal.front_table import format_figure, front_table
from search.space.objectives import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    from rich.live import Live

STATUS_SECONDS = 15
TRAINED = ("complete", "pruned", "failed")
"""States that spend one of the trials a search was asked for."""


class SearchDisplay:
    """Shows one search. Use it as a context manager; `message` writes a line above everything else.

    Args:
        title: what is searched.
        total: trials to be trained; infeasible and duplicate ones are not counted.
        objectives: those of the front shown.
        tokens_per_trial: training tokens of one whole trial, for the time left; 0 where it is not known.
        records: trials of an earlier run of the same search, already finished.
        console: where to write; standard output by default.
        clock: seconds, rising.
    """

    def __init__(
        self,
        title: str,
        total: int,
        objectives: Sequence[str] = DEFAULT_OBJECTIVES,
        *,
        tokens_per_trial: int = 0,
        records: Sequence[TrialRecord] = (),
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or Console(highlight=False)
        self._title, self._total, self._objectives = title, total, tuple(objectives)
        self._tokens_per_trial, self._clock = tokens_per_trial, clock
        self._records = {record.number: record for record in records}
        self._earlier = {number: _tokens(record) for number, record in self._records.items()}
        self._running: dict[int, int] = {}  # tokens that each trial has seen
        self._about: dict[int, str] = {}
        self._begun = self._last_status = clock()
        self._live: Live | None = None

    def __enter__(self) -> SearchDisplay:
        self._begun = self._last_status = self._clock()
        if self.console.is_interactive and not self.console.no_color:
            from rich.live import Live

            # transient: the caller prints the final front; a copy of the panel would stand above it
            self._live = Live(
                get_renderable=self._panel, console=self.console, refresh_per_second=2, transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        # A search that ended before its first trial has nothing to sum up: its error stands alone.
        if self._about or self._records:
            self.message(self.status())

    def started(self, number: int, candidate: Candidate, profile: Mapping[str, Any]) -> None:
        """A trial began to train, or went on from its checkpoint."""
        if number not in self._records or self._records[number].state == "running":
            self._about[number] = _architecture(candidate)
            self._running.setdefault(number, self._earlier.get(number, 0))
        if self._live is None:
            memory = f"  memory {format_bytes(profile['memory_bytes'])}" if "memory_bytes" in profile else ""
            self.message(f"trial {number} started  {_architecture(candidate)}{memory}")

    def validated(self, number: int, point: CurvePoint) -> None:
        """A running trial reached a rung."""
        if number in self._running:
            self._running[number] = max(point.tokens, self._running[number])
        self._status_line()

    def finished(self, record: TrialRecord) -> None:
        """A trial reached its final state, trained or not."""
        self._running.pop(record.number, None)
        self._records[record.number] = record
        if self._live is None:
            self.message(trial_line(record))
            self._status_line()

    def message(self, text: str) -> None:
        """Writes one line, above the live panel where there is one."""
        self.console.print(Text(text), soft_wrap=True)

    def status(self) -> str:
        """One line: counts by state, tokens per second over all trials, time spent and left."""
        counts = Counter[str](record.state for record in self._all() if record.state != "running")
        trained = sum(counts[state] for state in TRAINED)
        words = [f"{trained} of {self._total} trials done"]
        words += [f"{len(self._running)} running"] if self._running else []
        words += [f"{n} {state}" for state, n in counts.items() if state != "complete" and n]
        words += [f"front {len(self._front())}"]
        speed, left = self.tokens_per_second(), self.seconds_left()
        words += [f"{format_count(speed)} tokens/s"] if speed else []
        words += [format_seconds(self._clock() - self._begun)]
        words += [f"about {format_seconds(left)} left"] if left is not None and trained < self._total else []
        return ", ".join(words)

    def tokens_per_second(self) -> float:
        """Training tokens of this run per second, all trials together; 0 before the first validation."""
        seen = {number: _tokens(record) for number, record in dict(self._records).items()} | self._running
        tokens = sum(max(0, count - self._earlier.get(number, 0)) for number, count in seen.items())
        seconds = self._clock() - self._begun
        return tokens / seconds if seconds > 0 else 0.0

    def seconds_left(self) -> float | None:
        """Seconds until `total` trials are trained, at the speed so far; None while it is not known.

        A trial to come is taken to cost what trained ones did on average, since many of them will be pruned.
        """
        speed = self.tokens_per_second()
        if not speed or not self._tokens_per_trial:
            return None
        spent = [_tokens(record) for record in self._all() if record.state in TRAINED]
        each = sum(spent) / len(spent) if spent else self._tokens_per_trial
        to_train = max(0, self._total - len(spent))
        under_way = sum(min(tokens, each) for tokens in list(self._running.values()))
        return max(0.0, to_train * each - under_way) / speed

    def _all(self) -> list[TrialRecord]:
        return list(self._records.values())  # a copy: the live panel is drawn in a thread of its own

    def _front(self) -> list[TrialRecord]:
        return pareto_front(self._all(), self._objectives)

    def _status_line(self) -> None:
        now = self._clock()
        if self._live is None and now - self._last_status >= STATUS_SECONDS:
            self._last_status = now
            self.message(self.status())

    def _panel(self) -> Group:
        lines: list[RenderableType] = [Text.assemble((self._title, "bold"), "  ", self.status())]
        running = [self._progress(number, tokens) for number, tokens in sorted(dict(self._running).items())]
        if running:
            lines.append(Text(f"running: {', '.join(running)}", style="dim"))
        if self._front():
            lines.append(front_table(self._all(), self._objectives))
        return Group(*lines)

    def _progress(self, number: int, tokens: int) -> str:
        share = f" {tokens / self._tokens_per_trial:.0%}" if self._tokens_per_trial else ""
        return f"{number} {self._about.get(number, '')}{share}"


def trial_line(record: TrialRecord) -> str:
    """`trial 12 complete  top_down 4@4 2@1 d=64  perplexity 93.1  memory 41 MiB`."""
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


def _architecture(candidate: Candidate) -> str:
    return f"{candidate.model.variant} {candidate.model.layers} d={candidate.model.d_model}"


def _tokens(record: TrialRecord) -> int:
    """Tokens that this trial was trained on; a duplicate's are its twin's."""
    return record.curve[-1].tokens if record.curve and record.state != "duplicate" else 0
