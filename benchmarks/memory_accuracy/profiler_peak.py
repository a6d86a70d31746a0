"""The peak of one real training step as torch's own profiler sees it, from its log of allocations.

The profiler hooks the allocator, so it also sees what a count of tensors cannot: workspaces that a kernel allocates and
frees before it returns, and allocations outside every operation (the random generator's state, 5,056 bytes for each
checkpointed layer with dropout). Both are separated here, so that the rest can be compared.
It reads torch's tree of events, which is a private interface.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode

from msarch import ModelConfig, TrainingConfig
from msarch.models.build import model_class
from msarch.training.step import make_optimizer, training_step

_STEP = "the step that counts"


@dataclass(frozen=True)
class ProfilerPeak:
    """What the profiler saw.

    Attributes:
        tensors: peak bytes of all that outlives the operation that made it.
        allocated: peak bytes of everything.
        operation: the operation whose workspace sets the peak `allocated`; empty if it is not a workspace.
    """

    tensors: int
    allocated: int
    operation: str


def profiler_peak(model: ModelConfig, training: TrainingConfig) -> ProfilerPeak:
    """Run two real steps under the profiler; the peak of the second, its optimizer's state filled by the first."""
    gc.collect()
    with _Names() as names, profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        _run(model, training)
        gc.collect()  # free everything in this call, so that the next one starts from nothing
    events = list(_walk(profiler.profiler.kineto_results.experimental_event_tree()))
    return _peak(events, names.seen)


class _Names(TorchDispatchMode):
    """Notes which operations a count of tensors sees: those that pass a dispatch mode."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.add(func._schema.name)
        return func(*args, **(kwargs or {}))


def _run(config: ModelConfig, training: TrainingConfig) -> None:
    model = model_class(config.variant)(config)
    optimizer = make_optimizer(model, training)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    inputs, targets = (torch.zeros(training.batch_size, config.context, dtype=torch.int64) for _ in range(2))
    with record_function(_STEP):
        training_step(model, optimizer, inputs, targets, training)


def _walk(events: list[Any]) -> Iterator[Any]:
    for event in events:
        yield event
        yield from _walk(event.children)


def _peak(events: list[Any], seen: set[str]) -> ProfilerPeak:
    from torch._C._profiler import _EventType

    step = next(event for event in events if event.name == _STEP)
    changes = [event for event in events if event.tag == _EventType.Allocation]
    changes.sort(key=lambda event: int(event.start_time_ns))
    unseen = _unseen(changes, seen)
    tensors = rest = highest = 0
    highest_of_all, operation = 0, ""
    for number, event in enumerate(changes):
        size = event.extra_fields.alloc_size
        tensors, rest = (tensors, rest + size) if number in unseen else (tensors + size, rest)
        if step.start_time_ns <= event.start_time_ns <= step.end_time_ns:
            highest = max(highest, tensors)
            if tensors + rest > highest_of_all:
                highest_of_all, operation = tensors + rest, unseen.get(number, "")
    return ProfilerPeak(highest, highest_of_all, operation)


def _unseen(changes: list[Any], seen: set[str]) -> dict[int, str]:
    """Which allocations and frees no count of tensors sees, by index, with the operation each belongs to."""
    made: dict[int, tuple[int, Any]] = {}
    found: dict[int, str] = {}
    for number, event in enumerate(changes):
        fields = event.extra_fields
        if fields.alloc_size > 0:
            made[fields.ptr] = (number, _operation(event, seen))
        elif fields.ptr in made:
            first, operation = made.pop(fields.ptr)
            if operation is None:
                found |= {first: "outside", number: "outside"}
            elif event.start_time_ns <= operation.end_time_ns:
                found |= {first: operation.name, number: operation.name}
    return found


def _operation(event: Any, seen: set[str]) -> Any:
    """The outermost operation around an allocation that a count of tensors sees; None outside of all."""
    found = None
    while event is not None:
        found = event if event.name in seen else found
        event = event.parent
    return found
