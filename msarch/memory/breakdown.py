"""From the log of a step to what its bytes are for: at the peak, and at every operation.

Parameters, optimizer state, gradients and the batch are known by name. What the forward pass or the loss makes
and the backward pass still finds was kept for it; all else is temporary.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from msarch.memory.memory_profile import KINDS, MemoryProfile, Part
from msarch.memory.module_places import Place
from msarch.memory.step_log import MeasuredStep

_KEPT = {"forward": "activations", "loss": "loss"}


@dataclass(frozen=True)
class Timeline:
    """Live bytes after each operation of a step, by kind.

    Attributes:
        live: (operations, kinds) bytes, in the order of `KINDS`: the most that was alive since the operation before.
        operations, phases, layers: name, phase and place of each operation.
        peak: which operation the peak stands at.
    """

    live: NDArray[np.int64]
    operations: list[str]
    phases: list[str]
    layers: list[str]
    peak: int


class Breakdown:
    """Reads the log of a measured step."""

    def __init__(self, step: MeasuredStep) -> None:
        self._step, self._live = step, step.live
        numbers, sizes = zip(*step.live.events, strict=True)
        self._numbers, self._sizes = np.array(numbers, dtype=np.int64), np.array(sizes, dtype=np.int64)
        self._totals = self._sizes.cumsum()
        self._peak = step.begin + int(self._totals[step.begin :].argmax())

    def profile(self) -> MemoryProfile:
        """The peak and its parts."""
        parts = self._parts()
        sums = dict.fromkeys(KINDS, 0)
        for part in parts:
            sums[part.kind] += part.size
        operations = self._live.operations
        at = next(i for i, each in enumerate(operations) if each.events > self._peak and each.phase != "setup")
        return MemoryProfile(
            peak_bytes=int(self._totals[self._peak]),
            **sums,
            peak_phase=operations[at].phase,
            peak_operation=str(operations[at].function),
            peak_layer=self._place(_filled([each.place for each in operations[at:]])[0]).layer,
            kernel=self._kernel(),
            flops=self._step.flops,
            attended_pairs=self._step.attended_pairs,
            parameter_count=self._step.parameter_count,
            embedding_count=self._step.embedding_count,
            parts=parts,
        )

    def _parts(self) -> tuple[Part, ...]:
        """What is alive at the peak, by place in the order of computation, then by kind."""
        alive = np.zeros(len(self._live.storage_phase), dtype=np.int64)
        np.add.at(alive, self._numbers[: self._peak + 1], self._sizes[: self._peak + 1])
        paths = _filled(self._live.storage_place)
        sums: dict[tuple[Place, int], int] = defaultdict(int)
        for number in alive.nonzero()[0].tolist():
            sums[self._place(paths[number]), int(self._kinds[number])] += int(alive[number])
        # Several modules may be one place, as the norm and the positions of a stream are.
        order = {place: position for position, place in enumerate(dict.fromkeys(self._step.places.values()))}
        return tuple(
            Part(KINDS[kind], place.scale, place.layer, size)
            for (place, kind), size in sorted(sums.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        )

    def timeline(self) -> Timeline:
        """The whole step, operation by operation."""
        operations = [each for each in self._live.operations if each.phase not in ("setup", "end")]
        changes = np.zeros((len(self._numbers), len(KINDS)), dtype=np.int64)
        changes[np.arange(len(self._numbers)), self._kinds[self._numbers]] = self._sizes
        live = changes.cumsum(axis=0)
        ends = np.array([each.events for each in operations])
        starts = np.concatenate([[self._step.begin], ends[:-1]])
        most = [start + int(self._totals[start:end].argmax()) if end > start else end - 1
                for start, end in zip(starts, ends, strict=True)]  # fmt: skip
        layers = [self._place(path).layer for path in _filled([each.place for each in operations])]
        return Timeline(
            live=live[most],
            operations=[str(each.function) for each in operations],
            phases=[each.phase for each in operations],
            layers=layers,
            peak=int(np.argmax(live[most].sum(axis=1))),
        )

    @cached_property
    def _kinds(self) -> NDArray[np.int64]:
        """What each storage is for, as an index of `KINDS`."""
        known = {number: kind for kind, members in self._step.kinds.items() for number in members}
        first = next(each.events for each in self._live.operations if each.phase == "backward")
        freed_early = set(self._numbers[:first][self._sizes[:first] < 0].tolist())
        kinds = [
            known.get(number) or ("temporaries" if number in freed_early else _KEPT.get(phase, "temporaries"))
            for number, phase in enumerate(self._live.storage_phase)
        ]
        return np.array([KINDS.index(kind) for kind in kinds])

    def _place(self, path: str) -> Place:
        return self._step.places[path]

    def _kernel(self) -> str:
        """The attention kernel that ran."""
        functions = {each.function for each in self._live.operations if each.phase == "forward"}
        names = [str(function) for function in functions]
        return "fused" if any("_scaled_dot_product" in name and "math" not in name for name in names) else "unfused"


def _filled(places: list[str]) -> list[str]:
    """What lies between two places belongs to the next one."""
    filled = list(places)
    for index in range(len(filled) - 2, -1, -1):
        filled[index] = filled[index] or filled[index + 1]
    return filled
