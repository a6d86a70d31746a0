"""What a model may cost: the costs between which a report's reader can switch, and what each of them means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.space.objectives import OBJECTIVES

_MEANINGS = {
    "memory": (
        "memory as trained",
        "The most bytes alive at once in one training step of exactly what was trained, predicted without hardware.",
    ),
    "memory_unfused": (
        "unfused attention",
        "The memory of the same step with attention that keeps its scores, as was usual before 2022.",
    ),
    "memory_checkpointed": (
        "with checkpointing",
        "The memory of the same step with each block recomputed in the backward pass: fewer bytes for more time.",
    ),
    "cache": ("inference cache", "Bytes that generation keeps for one sequence of full length, in training.dtype."),
    "parameters": ("parameters", "Trained numbers of the model, embeddings included."),
    "flops_per_token": (
        "FLOPs per token",
        "Floating-point operations of a training step for each token, forward and backward.",
    ),
    "step_time": (
        "step time (not reproducible)",
        "Mean time of a training step as this search measured it. It differs from run to run and with the load of "
        "the machine, so small differences mean nothing.",
    ),
}
_ALWAYS = ("memory", "memory_unfused", "memory_checkpointed", "cache", "flops_per_token", "step_time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """One choice of the switch: an objective's name, its short label, and what it means."""

    name: str
    label: str
    meaning: str


def costs_of(records: Sequence[TrialRecord], objectives: Sequence[str], conditions: str = "") -> list[Cost]:
    """The costs that were searched for, then those of which every complete trial has a figure.

    Folders of an earlier version lack some. Under other `conditions` the labels say so, but for measured times.
    """
    sought = [name for name in objectives if not OBJECTIVES[name].quality] or ["memory"]
    complete = [record for record in records if record.state == "complete"]
    known = [name for name in _ALWAYS if complete and _has_all(complete, name)]
    return [_cost(name, conditions) for name in dict.fromkeys((*sought, *known))]


def _has_all(records: Sequence[TrialRecord], name: str) -> bool:
    return all((metric(record, OBJECTIVES[name].key) or 0) > 0 for record in records)


def _cost(name: str, conditions: str) -> Cost:
    label, meaning = _MEANINGS[name]
    if not conditions:
        return Cost(name=name, label=label, meaning=meaning)
    if not OBJECTIVES[name].known_before_training:
        return Cost(name=name, label=f"{label}, as trained", meaning=meaning)
    shown = "memory" if name == "memory" else label
    about = meaning.replace("exactly what was trained", "each model").removesuffix(".")
    return Cost(name=name, label=shown, meaning=f"{about}, with {conditions}.")
