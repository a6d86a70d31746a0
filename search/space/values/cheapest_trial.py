"""Answers Optuna's suggest API with the cheapest value of each parameter, so that a space's minima need no study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHEAP = ("fused", "chunked", "block", "bfloat16", "average", "repeat")
"""Of words, those that take less memory than their alternatives."""


class LeastTrial:
    """Proposes what `fixed` says, else the least number or the cheapest word.

    Attributes:
        asked: the names that were asked for and not fixed.
    """

    def __init__(self, fixed: dict[str, Any]) -> None:
        self._fixed = fixed
        self.asked: list[str] = []

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The fixed choice, or the cheapest."""
        return self._answer(name, min(choices, key=_cost))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The fixed value, or the lower end."""
        return int(self._answer(name, low))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The fixed value, or the lower end."""
        return float(self._answer(name, low))

    def _answer(self, name: str, value: Any) -> Any:
        if name in self._fixed:
            return self._fixed[name]
        self.asked.append(name)
        return value


def _cost(choice: Any) -> float:
    if isinstance(choice, int | float):
        return choice
    words = str(choice).split()
    if all(word.replace(".", "").isdigit() for word in words):
        return sum(map(float, words))
    return 0.0 if choice in CHEAP else 1.0
