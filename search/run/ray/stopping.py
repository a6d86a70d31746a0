"""What stops a search before its end: an interrupt, a time budget that is spent, or a failure.

Ray is not imported here, so that a signal is heeded while it starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class StopSignal:
    """Why a search should stop now, if it should.

    Attributes:
        time_budget: seconds from the first training step to the stop, or None.
        interrupted: by Ctrl-C.
        failure: what went wrong in the process that drives the search.
    """

    time_budget: float | None = None
    interrupted: bool = False
    failure: BaseException | None = field(default=None, repr=False)
    _deadline: float | None = field(default=None, init=False)

    def start_clock(self) -> None:
        """Begin to count the time budget; only the first call does."""
        if self.time_budget is not None and self._deadline is None:
            self._deadline = time.monotonic() + self.time_budget

    def interrupt(self) -> None:
        """The user wants the search to stop."""
        self.interrupted = True

    @property
    def out_of_time(self) -> bool:
        """Whether the time budget is spent."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def is_set(self) -> bool:
        """Whether the search should stop."""
        return self.interrupted or self.failure is not None or self.out_of_time

    def guard(self, action: Callable[[], Any], otherwise: Any) -> Any:
        """The result of `action`; `otherwise` if the search is stopping, or stops because `action` raised."""
        if self.is_set:
            return otherwise
        try:
            return action()
        except (Exception, KeyboardInterrupt) as error:
            self.failure = error
            return otherwise
