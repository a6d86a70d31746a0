"""A memory profile as people read it on a terminal: headline, three breakdowns, compute, generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from msarch.config.candidate import Candidate
from msarch.memory.memory_profile import MEMORY_KINDS, MemoryProfile
from msarch.units import format_bytes
from search.results.conditions import describe_conditions
from search.show.profile.words import (
    KIND_WORDS,
    compute_words,
    describe_model,
    describe_peak,
    inference_words,
    scale_words,
)
from search.show.terminal.fitted_table import FittedColumn, FittedTable

if TYPE_CHECKING:
    from msarch.memory.inference import InferenceMemory

_BAR = 24
FIRST_COLUMN = 20


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer, or several of one scale in a row that hold the same: its name, bytes of each group, their number."""

    name: str
    groups: tuple[int, ...]
    count: int

    @property
    def total(self) -> int:
        """Bytes of all of them together."""
        return self.count * sum(self.groups)


# As elsewhere in the field, model states are parameters, gradients and optimizer state.
LAYER_GROUPS = (("parameters", "gradients", "optimizer"), ("activations", "loss"), ("temporaries",))
LAYER_HEADINGS = ("model states", "kept", "temporary")


def profile_view(name: str, candidate: Candidate, profile: MemoryProfile, inference: InferenceMemory) -> RenderableType:
    """Everything about one candidate."""
    facts = Table.grid(padding=(0, 2))
    compute, attention = compute_words(candidate, profile)
    weights, cache = inference_words(inference)
    for row in (("compute", compute), ("attention", attention), ("weights", weights), ("cache", cache)):
        facts.add_row(*row)
    return Group(
        Text(f"{name}: {describe_model(candidate, profile)}", style="bold"),
        Text(f"one training step: {describe_conditions(candidate)}"),
        Text(f"\npeak {format_bytes(profile.peak_bytes)} {describe_peak(profile)}", style="bold"),
        "",
        _shares("by kind", {KIND_WORDS[kind]: size for kind, size in profile.by_kind.items()}, profile.peak_bytes),
        "",
        _shares("by scale", {scale_words(s): size for s, size in profile.by_scale.items()}, profile.peak_bytes),
        "",
        _layers(profile),
        "",
        facts,
    )


def _shares(title: str, parts: dict[str, int], total: int) -> FittedTable:
    shown = {name: size for name, size in parts.items() if size}
    return FittedTable(
        [
            FittedColumn(title, list(shown), text=True, at_least=FIRST_COLUMN),
            FittedColumn("bytes", [format_bytes(size) for size in shown.values()]),
            FittedColumn("share", [f"{size / total:.1%}" for size in shown.values()], 20),
            FittedColumn("", ["█" * round(_BAR * size / total) for size in shown.values()], 10, text=True),
        ]
    )


def _layers(profile: MemoryProfile) -> FittedTable:
    names, *groups, sizes, shares = map(list, zip(*layer_cells(profile), strict=True))
    parts = zip(LAYER_HEADINGS, groups, (22, 23, 21), strict=True)
    return FittedTable(
        [
            FittedColumn("by layer", names, text=True),
            *(FittedColumn(heading, cells, importance) for heading, cells, importance in parts),
            FittedColumn("bytes", sizes),
            FittedColumn("share", shares, 20),
        ]
    )


def layer_cells(profile: MemoryProfile) -> list[list[str]]:
    """A line for each layer, or for equal layers in a row: name, groups, bytes, share."""
    rows = []
    for row in layer_rows(profile):
        figures = [format_bytes(size) if size else "" for size in row.groups]
        each = [f"{row.count} × {figure}" if row.count > 1 and figure else figure for figure in figures]
        rows.append([row.name, *each, format_bytes(row.total), f"{row.total / profile.peak_bytes:.1%}"])
    return rows


def layer_rows(profile: MemoryProfile) -> list[LayerRow]:
    """The layers in the order of computation; equal layers in a row stand on one line."""
    return [_merged(names, groups) for names, groups in _runs(_groups(profile))]


def _groups(profile: MemoryProfile) -> dict[str, tuple[int, ...]]:
    groups = {}
    for layer in profile.by_layer:
        sizes = {part.kind: part.size for part in profile.parts if part.layer == layer}
        groups[layer] = tuple(sum(sizes.get(kind, 0) for kind in group) for group in LAYER_GROUPS)
    assert {kind for group in LAYER_GROUPS for kind in group} == set(MEMORY_KINDS)
    return groups


def _runs(groups: dict[str, tuple[int, ...]]) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    def key(layer: str) -> tuple[str, tuple[int, ...]]:
        return (layer.rpartition("@")[2] if layer.startswith("layer ") else layer, groups[layer])

    for _, layers in groupby(groups, key):
        names = list(layers)
        yield names, groups[names[0]]


def _merged(names: Sequence[str], groups: tuple[int, ...]) -> LayerRow:
    if len(names) == 1:
        return LayerRow(names[0], groups, 1)
    first, last = (name.split()[1] for name in (names[0], names[-1]))
    return LayerRow(f"layers {first}-{last} {names[0].split()[2]}", groups, len(names))
