"""The tables of `benchmarks.paper_memory.command`, made once and written for a terminal or for a document."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from benchmarks.paper_memory.profiles import BASELINE, BATCHES, Attention, Checkpointing, Condition, Loss, Profiles

if TYPE_CHECKING:
    from rich.table import Table

TARGET = 0.77
"""The paper: thirty layers at 23 % less memory than fourteen vanilla ones."""
Model = tuple[str, str]
AS_READ: Model = ("top_down", "12@16 9@4 9@1")
"""The allocation whose activations come closest to the paper's figure by the usual closed form."""


@dataclass(frozen=True)
class Sheet:
    """A table: a title, the names of its columns, its rows, and which columns hold words."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    words: tuple[int, ...] = (0, 1)

    def rich(self) -> Table:
        """For a terminal."""
        from rich.table import Table

        table = Table(title=self.title)
        for place, name in enumerate(self.columns):
            table.add_column(name, justify="left" if place in self.words else "right")
        for row in self.rows:
            table.add_row(*(cell.replace("**", "") for cell in row), style="bold" if "**" in "".join(row) else None)
        return table

    def markdown(self) -> str:
        """For a document; figures that reach the target are bold."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        rule = ["-" * width if place in self.words else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
        lines = [self.columns, rule, *self.rows]
        padded = [[f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)] for line in lines]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in padded), ""])


def sheets(profiles: Profiles) -> list[Sheet]:
    """All tables, in the order of the document."""
    without, with_ = ways("none"), ways("block")
    return [
        relative(profiles, "Without checkpointing", without),
        relative(profiles, "With checkpointing on both sides", with_),
        rivals(profiles),
    ]


def ways(checkpointing: Checkpointing) -> list[Condition]:
    """Kernels and losses, at the smaller and the larger batch."""
    kernels = itertools.product(BATCHES, get_args(Attention), get_args(Loss))
    return [Condition(*kernel, checkpointing) for kernel in kernels]


def relative(profiles: Profiles, title: str, conditions: Sequence[Condition]) -> Sheet:
    """Memory and FLOPs of every model over those of 14 vanilla layers under the same condition.

    Without checkpointing also the activations alone, with unfused and with fused attention and the chunked loss; the
    batch size makes no difference to their ratio.
    """
    kept = conditions[0].checkpointing == "none"
    columns = ["variant", "layers", "parameters", "unfused, full", "unfused, chunked", "fused, full", "fused, chunked"]
    rows = []
    for model in profiles.models:
        ratios = [_mark(model, profiles.memory(model, condition)) for condition in conditions]
        pairs = [f"{small} / {large}" for small, large in zip(ratios[:4], ratios[4:], strict=True)]
        parameters = f"{profiles.row(model, conditions[0]).parameters / 1e6:.0f}M"
        alone = [_mark(model, profiles.activations(model, conditions[place])) for place in (1, 3)]
        flops = f"{profiles.flops(model, conditions[3]):.2f}"
        rows.append([model[0], f"`{model[1]}`", parameters, *pairs, *([" / ".join(alone)] if kept else []), flops])
    sizes = " / ".join(map(str, BATCHES))
    heading = f"{title}: memory over that of 14 vanilla layers, batch {sizes}"
    return Sheet(heading, [*columns, *(["activations alone"] if kept else []), "FLOPs"], rows)


def rivals(profiles: Profiles) -> Sheet:
    """What checkpointing alone gains: all models over 14 vanilla layers without it, under today's kernels."""
    columns = ["variant", "layers", "checkpointing", *(f"memory, batch {batch}" for batch in BATCHES), "FLOPs"]
    rows = []
    for model in [BASELINE, AS_READ, *reaching(profiles, ways("none"), TARGET)]:
        for checkpointing in ("none", "block"):
            plain = [Condition(batch, "fused", "chunked", "none") for batch in BATCHES]
            own = [replace(condition, checkpointing=checkpointing) for condition in plain]
            pairs = list(zip(own, plain, strict=True))
            memory = [f"{profiles.memory(model, a, against=b):.2f}" for a, b in pairs]
            flops = f"{profiles.flops(model, own[0], against=plain[0]):.2f}"
            rows.append([model[0], f"`{model[1]}`", checkpointing, *memory, flops])
    title = "Fused attention, chunked loss: everything over 14 vanilla layers without checkpointing"
    return Sheet(title, columns, rows, words=(0, 1, 2))


def reaching(profiles: Profiles, conditions: Sequence[Condition], share: float) -> list[Model]:
    """Models of thirty layers at several scales that need at most `share` under one of the conditions."""
    least = {model: min(profiles.memory(model, way) for way in conditions) for model in profiles.models}
    return [model for model in profiles.models if is_deep(model) and least[model] <= share]


def answers(profiles: Profiles) -> list[str]:
    """The paper's statement, answered in sentences."""
    deep = [model for model in profiles.models if is_deep(model)]
    lines = [f"Of {len(deep)} allocations of thirty layers, {TARGET} or less of 14 vanilla layers' memory is reached"]
    for condition in [*ways("none"), *ways("block")]:
        found = [model for model in deep if profiles.memory(model, condition) <= TARGET]
        named = ", ".join(
            f"{layers} ({profiles.memory((variant, layers), condition):.2f})" for variant, layers in found
        )
        way = f"{condition.attention}, {condition.loss} loss, batch {condition.batch_size}"
        lines.append(f"  {way}{', checkpointing' if condition.checkpointing == 'block' else ''}: {named or 'by none'}")
    alone = [
        profiles.memory(BASELINE, replace(condition, checkpointing="block"), against=condition)
        for condition in ways("none")
    ]
    flops = profiles.flops(BASELINE, ways("block")[3], against=ways("none")[3])
    lines.append(
        f"14 vanilla layers with checkpointing need {min(alone):.2f} to {max(alone):.2f} of their own memory, at "
        f"{flops:.2f} times the FLOPs"
    )
    return lines


def is_deep(model: Model) -> bool:
    """Whether it has thirty layers at more than one scale."""
    stages = [stage.split("@") for stage in model[1].split()]
    return sum(int(layers) for layers, _ in stages) == 30 and len({factor for _, factor in stages}) > 1


def _mark(model: Model, ratio: float) -> str:
    return f"**{ratio:.2f}**" if is_deep(model) and ratio <= TARGET else f"{ratio:.2f}"
