"""One branch of a space: a variant, its allocations, and the parameters that hold where it is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from msarch.errors import UserError, quoted, unknown
from search.space.values.allocations import AllocationRange
from search.space.values.ranges import Domain, Suggests
from search.space.values.value_types import value_type_of


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, by its key.

    Attributes:
        key: the field that it sets, such as ``d_model``.
        name: what Optuna knows it by: ``d_model``, or ``top_down/d_model`` where it varies in one branch only.
        path: where it stands in the file: ``model.variant.top_down.d_model``.
        annotation: the type of the field.
        domain: what it may be.
    """

    key: str
    name: str
    path: str
    annotation: Any
    domain: Domain

    def suggest(self, trial: Suggests) -> Any:
        """A value through Optuna's suggest API."""
        return self.domain.suggest(trial, self.name)

    def accept(self, raw: object) -> dict[str, Any]:
        """Optuna's parameters that lead to the value written as `raw`. Raises UserError."""
        try:
            return self.domain.accept(value_type_of(self.key, self.annotation).parse(raw), self.name)
        except UserError as error:
            raise error.under(self.key) from None


@dataclass(frozen=True, slots=True)
class Branch:
    """A variant and what varies in it.

    Attributes:
        variant: a registered architecture.
        layers: the alternatives for its layer allocation.
        parameters: by key: d_model, context, n_heads or d_head, and the variant's options.
    """

    variant: str
    layers: tuple[AllocationRange, ...]
    parameters: dict[str, Parameter]

    @property
    def path(self) -> str:
        """Where the branch stands in the file."""
        return f"model.variant.{self.variant}"

    def combinations(self) -> int | None:
        """How many models the branch holds, or None where one of its parameters is continuous."""
        counts = [parameter.domain.combinations for parameter in self.parameters.values()]
        if any(count is None for count in counts):
            return None
        return sum(allocation.combinations for allocation in self.layers) * math.prod(filter(None, counts))

    def prefixes(self) -> list[str]:
        """Each alternative's part of Optuna's names: ``top_down/16-4-1``; a second of like factors ends in ``#2``."""
        seen: list[str] = []
        prefixes = []
        for allocation in self.layers:
            seen.append(allocation.factors)
            count = seen.count(allocation.factors)
            prefixes.append(f"{self.variant}/{allocation.factors}" + (f"#{count}" if count > 1 else ""))
        return prefixes

    def suggest(self, trial: Suggests) -> dict[str, Any]:
        """Arguments of ModelConfig, but for the vocabulary, through Optuna's suggest API."""
        values = {key: parameter.suggest(trial) for key, parameter in self.parameters.items()}
        if "d_head" in values:
            values["n_heads"] = values["d_model"] // values.pop("d_head")
        return {"variant": self.variant, "layers": self._suggest_layers(trial), **values}

    def _suggest_layers(self, trial: Suggests) -> str:
        alternatives = {str(allocation): allocation for allocation in self.layers}
        written = next(iter(alternatives))
        if len(alternatives) > 1:
            written = trial.suggest_categorical(f"{self.variant}/layers", tuple(alternatives))
        allocation = alternatives[written]
        return allocation.suggest(trial, self.prefixes()[self.layers.index(allocation)])

    def accept(self, point: dict[str, Any]) -> dict[str, Any]:
        """Optuna's parameters that lead to the model keys of a known design. Raises UserError."""
        params: dict[str, Any] = {}
        for key, raw in point.items():
            if key == "layers":
                params |= self._accept_layers(raw)
            elif key in self.parameters:
                params |= self.parameters[key].accept(raw)
            else:
                raise UserError(unknown(f"key of {self.variant}", key, ("layers", *self.parameters)), key=key)
        return params

    def _accept_layers(self, raw: object) -> dict[str, Any]:
        legal = " or ".join(f"'{allocation}'" for allocation in self.layers)
        for allocation, prefix in zip(self.layers, self.prefixes(), strict=True):
            try:
                params = allocation.accept(raw if isinstance(raw, str) else quoted(raw), prefix)
            except UserError as error:
                raise error.under("layers") from None
            if params is not None:
                chosen = {f"{self.variant}/layers": str(allocation)} if len(self.layers) > 1 else {}
                return {**chosen, **params}
        raise UserError(f"{quoted(raw)} is outside the space, which has {legal}", key="layers")
