"""From the log of a step to the purpose of its bytes: at the peak, and after every operation.

Parameters, optimizer state, gradients and the batch are known by name. A storage that the forward pass or the loss made
and that is still alive when the backward pass begins was kept for it. Everything else is temporary.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from msarch.memory.live_storages import Operation
from msarch.memory.memory_profile import MEMORY_KINDS, MemoryProfile, PeakShare
from msarch.memory.part_tracker import ModelPart
from msarch.memory.step_log import StepLog

_KEPT_FROM = {"forward": "activations", "loss": "loss"}
"""The kind of a storage that was made in a phase and is alive when the backward pass begins."""


@dataclass(frozen=True)
class Timeline:
    """Live bytes after each operation of a step, by kind.

    Attributes:
        live: (operations, kinds) bytes, kinds in the order of `MEMORY_KINDS`: at the highest moment since the
            previous operation.
        operations, phases, layers: name, phase and part of the model of each operation.
        peak: index of the operation at which the peak occurs.
    """

    live: NDArray[np.int64]
    operations: list[str]
    phases: list[str]
    layers: list[str]
    peak: int


class Breakdown:
    """Attributes the bytes in the log of a step."""

    def __init__(self, log: StepLog) -> None:
        self._log, self._live = log, log.live
        numbers, sizes = zip(*log.live.events, strict=True)
        # Event e changes the live bytes by `_sizes[e]`: storage `_numbers[e]` appears, or goes.
        self._numbers, self._sizes = np.array(numbers, dtype=np.int64), np.array(sizes, dtype=np.int64)
        self._totals = self._sizes.cumsum()
        # The event after which most is alive, in the step itself: events of the setup only count what exists already.
        self._peak = log.setup_events + int(self._totals[log.setup_events :].argmax())

    def profile(self) -> MemoryProfile:
        """The peak and what it is made of."""
        shares = self._shares()
        sums = dict.fromkeys(MEMORY_KINDS, 0)
        for share in shares:
            sums[share.kind] += share.size
        at_peak, part = self._peak_operation()
        return MemoryProfile(
            peak_bytes=int(self._totals[self._peak]),
            **sums,
            peak_phase=at_peak.phase,
            peak_operation=str(at_peak.function),
            peak_layer=part.name,
            kernel=self._kernel(),
            flops=self._log.flops.total,
            flops_forward=self._log.flops.forward,
            attended_pairs=self._log.attended_pairs,
            parameter_count=self._log.parameter_count,
            embedding_count=self._log.embedding_count,
            parts=shares,
        )

    def _peak_operation(self) -> tuple[Operation, ModelPart]:
        """The operation at which the peak occurs, and the part of the model that it belongs to."""
        operations = self._live.operations
        # `events` is the count when an operation ended: the first one with a higher count made the peak's event.
        at = next(i for i, each in enumerate(operations) if each.events > self._peak and each.phase != "setup")
        part, *_ = _filled([each.part for each in operations[at:]])
        return operations[at], self._part(part)

    def _shares(self) -> tuple[PeakShare, ...]:
        """What is alive at the peak, by part in the order of computation, then by kind."""
        alive = np.zeros(len(self._live.storage_phase), dtype=np.int64)
        # A storage that came and went occurs twice and must add up to 0; `alive[numbers] += sizes` would count it once.
        np.add.at(alive, self._numbers[: self._peak + 1], self._sizes[: self._peak + 1])
        paths = _filled(self._live.storage_part)
        sums: dict[tuple[ModelPart, int], int] = defaultdict(int)
        for number in alive.nonzero()[0].tolist():
            sums[self._part(paths[number]), int(self._kinds[number])] += int(alive[number])
        # Several modules can share one part, as the norm and the positions of a stream do.
        order = {part: position for position, part in enumerate(dict.fromkeys(self._log.parts.values()))}
        return tuple(
            PeakShare(MEMORY_KINDS[kind], part.scale, part.name, size)
            for (part, kind), size in sorted(sums.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        )

    def timeline(self) -> Timeline:
        """The whole step, operation by operation."""
        operations = [each for each in self._live.operations if each.phase not in ("setup", "end")]
        # A row for each event and a column for each kind: the running sum of a column is the live bytes of that kind.
        changes = np.zeros((len(self._numbers), len(MEMORY_KINDS)), dtype=np.int64)
        changes[np.arange(len(self._numbers)), self._kinds[self._numbers]] = self._sizes
        live = changes.cumsum(axis=0)[self._highest_events(operations)]
        return Timeline(
            live=live,
            operations=[str(each.function) for each in operations],
            phases=[each.phase for each in operations],
            layers=[self._part(path).name for path in _filled([each.part for each in operations])],
            peak=int(np.argmax(live.sum(axis=1))),
        )

    def _highest_events(self, operations: list[Operation]) -> list[int]:
        """For each operation the event with most live bytes since the previous operation, else the last event."""
        highest = []
        start = self._log.setup_events
        for operation in operations:
            end = operation.events
            highest.append(start + int(self._totals[start:end].argmax()) if end > start else end - 1)
            start = end
        return highest

    @cached_property
    def _kinds(self) -> NDArray[np.int64]:
        """The purpose of each storage, as an index into `MEMORY_KINDS`."""
        known = {number: kind for kind, members in self._log.known.items() for number in members}
        backward = next(each.events for each in self._live.operations if each.phase == "backward")
        # A negative size is a free: these storages were gone before the backward pass began.
        freed_early = set(self._numbers[:backward][self._sizes[:backward] < 0].tolist())
        kinds = [
            known.get(number) or ("temporaries" if number in freed_early else _KEPT_FROM.get(phase, "temporaries"))
            for number, phase in enumerate(self._live.storage_phase)
        ]
        return np.array([MEMORY_KINDS.index(kind) for kind in kinds])

    def _part(self, path: str) -> ModelPart:
        return self._log.parts[path]

    def _kernel(self) -> str:
        """The attention kernel that ran: "fused", unless torch used its "math" kernel or plain matrix products."""
        functions = {each.function for each in self._live.operations if each.phase == "forward"}
        names = [str(function) for function in functions]
        return "fused" if any("_scaled_dot_product" in name and "math" not in name for name in names) else "unfused"


def _filled(paths: list[str]) -> list[str]:
    """The paths without gaps: what ran between two parts has no path of its own and belongs to the next part."""
    filled = list(paths)
    for index in range(len(filled) - 2, -1, -1):  # from the end, so that a whole gap takes the path that follows it
        filled[index] = filled[index] or filled[index + 1]
    return filled
