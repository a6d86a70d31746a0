"""What the training of one model shows: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.text import Text

from msarch.perplexity import format_perplexity, perplexity
from msarch.training.validation import Validation
from msarch.units import format_count, format_seconds
from search.show.terminal.console import make_console

LINE_SECONDS = 60.0
"""Between two lines in a log."""
WINDOW_SECONDS = 60.0
"""Of the latest steps, over which the speed is taken; validations and checkpoints in between count."""


class Speed:
    """How fast tokens go by.

    Args:
        clock: seconds, rising.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, tokens: int) -> None:
        """So many tokens have been trained by now, in all."""
        now = self._clock()
        self._seen.append((now, tokens))
        while len(self._seen) > 2 and self._seen[1][0] < now - WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def tokens_per_second(self) -> float:
        """Over the last minute; 0 before two notes."""
        if len(self._seen) < 2:
            return 0.0
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began else 0.0


class TrainingDisplay:
    """Shows one training; an observer of it, and a context manager.

    Args:
        title: of the model.
        console: where to write; standard error by default.
        clock: seconds, rising.
    """

    def __init__(
        self, title: str, *, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or make_console(stderr=True, soft_wrap=True)
        self._title, self._clock = title, clock
        self._speed = Speed(clock)
        self._last_line = clock()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> TrainingDisplay:
        if self.console.is_interactive and not self.console.no_color:
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}"))
            self._bar = Progress(*columns, console=self.console, transient=True, refresh_per_second=4)
            self._task = self._bar.add_task(self._title, total=None, status="opening the text")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def message(self, text: str) -> None:
        """A line that stays."""
        self.console.print(Text(text))

    def began(self, trainer: Any, begun_from: str) -> None:
        """The first update comes next."""
        if begun_from and trainer.step:
            self.message(f"trains on from {begun_from}, step {trainer.step:,} of {trainer.steps:,}")
        elif trainer.step:
            self.message(f"continues after step {trainer.step:,} of {trainer.steps:,}")
        self._speed.note(trainer.step * trainer.tokens_per_step)

    def stepped(self, trainer: Any) -> None:
        """An update was made."""
        self._speed.note(trainer.step * trainer.tokens_per_step)
        if self._bar is not None:
            self._bar.update(self._task, completed=trainer.step, total=trainer.steps, status=self._status(trainer))
        elif self._clock() - self._last_line >= LINE_SECONDS:
            self._line(f"step {trainer.step:,} of {trainer.steps:,}, {self._status(trainer)}")

    def validated(self, trainer: Any, point: Validation) -> None:
        """A rung was reached."""
        self._speed.note(trainer.step * trainer.tokens_per_step)
        loss = f"validation loss {point.loss:.4f}, perplexity {format_perplexity(perplexity(point.loss))}"
        self._line(f"step {point.step:,} of {trainer.steps:,}, {loss}, {self._status(trainer)}")

    def _line(self, text: str) -> None:
        self.message(text)
        self._last_line = self._clock()

    def _status(self, trainer: Any) -> str:
        """Tokens so far, the latest training loss, tokens a second and the time left."""
        tokens, speed = trainer.step * trainer.tokens_per_step, self._speed.tokens_per_second
        parts = [f"{format_count(tokens)} tokens"]
        if trainer.training_loss is not None:
            parts.append(f"training loss {trainer.training_loss:.3f}")
        if speed and trainer.step < trainer.steps:
            left = (trainer.steps - trainer.step) * trainer.tokens_per_step / speed
            parts += [f"{format_count(speed)} tokens/s", f"{format_seconds(left)} left"]
        return ", ".join(parts)
