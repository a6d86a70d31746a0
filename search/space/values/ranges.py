"""What may vary: a constant, one of some values, or a range; each knows how Optuna is asked for it.

A parameter with a single value is never asked of Optuna. Categories are scalars or strings, since Optuna
warns on anything else: a list of numbers goes by the name ``1 4 16``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from msarch.errors import UserError


class Suggests(Protocol):
    """The part of an Optuna trial that proposes values."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


@dataclass(frozen=True, slots=True)
class Values:
    """One of some values; a constant is a single one.

    Attributes:
        values: in the order in which they were written.
        written: where they are listed, below the key itself, so that errors can point at one; None for a constant.
    """

    values: tuple[Any, ...]
    written: str | None = None

    @property
    def labels(self) -> tuple[Any, ...]:
        """The values as Optuna sees them."""
        return tuple(label(value) for value in self.values)

    @property
    def combinations(self) -> int | None:
        """How many values there are."""
        return len(self.values)

    @property
    def varies(self) -> bool:
        """Whether Optuna is asked."""
        return len(self.values) > 1

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers, so that one of them is the least."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @property
    def smallest(self) -> Any:
        """The least of numbers, else the first."""
        return min(self.values) if self.numeric else self.values[0]

    @property
    def largest(self) -> Any:
        """The greatest of numbers, else the last."""
        return max(self.values) if self.numeric else self.values[-1]

    def probes(self) -> Iterator[tuple[str, Any]]:
        """Each value, after the path at which it is written."""
        for index, value in enumerate(self.values):
            yield "" if self.written is None else f"{self.written}[{index}]", value

    def holds(self, value: Any) -> bool:
        """Whether `value` is among them."""
        return value in self.values

    def indivisible(self, divisor: int) -> Any:
        """The first value that `divisor` does not divide, or None."""
        return next((value for value in self.values if value % divisor), None)

    def suggest(self, trial: Suggests, name: str) -> Any:
        """A value through Optuna's suggest API."""
        if not self.varies:
            return self.values[0]
        return self.values[self.labels.index(trial.suggest_categorical(name, self.labels))]

    def accept(self, value: Any, name: str) -> dict[str, Any]:
        """Optuna's parameters that lead to `value`. Raises UserError where it is not among the values."""
        if not self.holds(value):
            legal = ", ".join(str(item) for item in self.labels)
            raise UserError(f"{label(value)} is outside the space, which has {legal}")
        return {name: label(value)} if self.varies else {}

    def plain(self) -> Any:
        """As it is written in YAML."""
        return {"values": list(self.labels)} if self.varies else self.labels[0]

    def __str__(self) -> str:
        return ", ".join(map(str, self.labels))


@dataclass(frozen=True, slots=True)
class Range:
    """Every number from `low` to `high`, by `step` or, for continuous ones, without."""

    low: Any
    high: Any
    step: Any = None
    log: bool = False

    @property
    def combinations(self) -> int | None:
        """How many values there are, or None where they are continuous."""
        if not self.varies:
            return 1
        if self.step is None:
            return None
        return int((Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(self.step))) + 1

    @property
    def varies(self) -> bool:
        """Whether Optuna is asked."""
        return bool(self.low != self.high)

    @property
    def smallest(self) -> Any:
        """The lower end."""
        return self.low

    @property
    def largest(self) -> Any:
        """The upper end."""
        return self.high

    def probes(self) -> Iterator[tuple[str, Any]]:
        """Both ends, after the path at which they are written."""
        yield ".min", self.low
        yield ".max", self.high

    def holds(self, value: Any) -> bool:
        """Whether `value` is among them."""
        offset = Decimal(str(value)) - Decimal(str(self.low))
        in_steps = self.step is None or not offset % Decimal(str(self.step))
        return bool(self.low <= value <= self.high and in_steps)

    def indivisible(self, divisor: int) -> Any:
        """The first value that `divisor` does not divide, or None; of whole numbers."""
        if self.low % divisor:
            return self.low
        return self.low + self.step if self.varies and self.step % divisor else None

    def suggest(self, trial: Suggests, name: str) -> Any:
        """A value through Optuna's suggest API."""
        if not self.varies:
            return self.low
        if isinstance(self.low, int):
            return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def accept(self, value: Any, name: str) -> dict[str, Any]:
        """Optuna's parameters that lead to `value`. Raises UserError where it is not in the range."""
        if not self.holds(value):
            raise UserError(f"{value} is outside the space, which has {self}")
        return {name: value} if self.varies else {}

    def plain(self) -> Any:
        """As it is written in YAML."""
        if not self.varies:
            return self.low
        step = {"step": self.step} if self.step not in (None, 1) or isinstance(self.step, float) else {}
        return {"min": self.low, "max": self.high, **({"log": True} if self.log else {}), **step}

    def __str__(self) -> str:
        by = f" by {self.step}" if self.step not in (None, 1) else ""
        return f"{self.low:g} to {self.high:g}{by}{', logarithmic' if self.log else ''}"


Domain = Values | Range


def label(value: Any) -> Any:
    """A value as Optuna and YAML see it: a list of numbers becomes the word ``1 4 16``."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else value
