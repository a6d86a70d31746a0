"""Two profiles side by side with their ratios, and what fits an amount of memory: figures first, tables from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Group, RenderableType
from rich.text import Text

from msarch.config.candidate import Candidate
from msarch.memory.memory_profile import MEMORY_KINDS, MemoryProfile
from msarch.units import format_bytes, format_count
from search.show.profile.words import KIND_WORDS
from search.show.terminal.fitted_table import FittedColumn, FittedTable
from search.space.objectives import LIMITS

if TYPE_CHECKING:
    from msarch.memory.fit import Fit
    from msarch.memory.inference import InferenceMemory

FIT_NOTE = (
    "Each size was profiled, and so was the next one, which does not fit. What a GPU holds besides, its context and "
    "what its allocator cannot use, is not in these figures: leave room for it. A search on GPUs lets each trial take "
    "what is predicted for it plus 15 % and 256 MiB."
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both; `size` tells bytes from counts."""

    name: str
    one: float
    other: float
    size: bool

    @property
    def ratio(self) -> float | None:
        """The first over the second; None where the second is 0."""
        return self.one / self.other if self.other else None

    def shown(self) -> tuple[str, str, str, str]:
        """Name, both figures, and the ratio, as people read them."""
        form = format_bytes if self.size else format_count
        return self.name, form(self.one), form(self.other), "-" if self.ratio is None else f"{self.ratio:.3g}"


Explained: TypeAlias = "tuple[Candidate, MemoryProfile, InferenceMemory]"
"""A candidate and what is known of it."""


def compared(one: Explained, other: Explained) -> list[Compared]:
    """Every figure of two candidates that are set side by side."""

    def both(name: str, of: object, *, size: bool = True) -> Compared:
        assert callable(of)
        return Compared(name, of(*one), of(*other), size)

    kinds = [both(KIND_WORDS[kind], lambda c, p, i, kind=kind: getattr(p, kind)) for kind in MEMORY_KINDS]
    return [
        both("peak", lambda c, p, i: p.peak_bytes),
        *kinds,
        both("weights to generate", lambda c, p, i: i.weights_bytes),
        both("cache at full context", lambda c, p, i: i.cache_bytes),
        both("cache on average", lambda c, p, i: i.cache_bytes_mean),
        both("parameters, number", lambda c, p, i: p.parameter_count, size=False),
        both("FLOP a token", lambda c, p, i: p.flops / _tokens(c), size=False),
        both("FLOP a token, forward", lambda c, p, i: p.flops_forward / _tokens(c), size=False),
        both("pairs a sequence", lambda c, p, i: p.attended_pairs, size=False),
    ]


def _tokens(candidate: Candidate) -> int:
    """Tokens of a training step."""
    return candidate.training.batch_size * candidate.model.context


def comparison_view(names: tuple[str, str], figures: Sequence[Compared]) -> FittedTable:
    """Both candidates and the ratio of the first to the second."""
    rows, *numbers = zip(*(figure.shown() for figure in figures), strict=True)
    bold = [index for index, name in enumerate(rows) if name == "peak"]
    columns = [FittedColumn(name, cells) for name, cells in zip((*names, "ratio"), numbers, strict=True)]
    return FittedTable([FittedColumn("", rows, text=True, at_least=20), *columns], bold)


def fit_rows(fits: Sequence[Fit], limit: int, candidate: Candidate) -> list[list[str]]:
    """One row a search: what is asked, under which checkpointing, the answer, what it needs and what is left."""
    at = {
        "batch_size": f"batch at context {candidate.model.context:,}",
        "context": f"context at batch {candidate.training.batch_size:,}",
    }
    rows = []
    for fit in fits:
        largest = f"{fit.size:,}{' or more' if fit.capped else ''}"
        if not fit.size:
            needs = f"{fit.step:,} needs {format_bytes(fit.memory_bytes)}"
            rows.append([at[fit.dimension], fit.checkpointing, "none", needs, ""])
        else:
            left = format_bytes(limit - fit.memory_bytes)
            rows.append([at[fit.dimension], fit.checkpointing, largest, format_bytes(fit.memory_bytes), left])
    return rows


def fit_view(fits: Sequence[Fit], limit: int, candidate: Candidate) -> RenderableType:
    """What fits, four numbers; or one line where not even a batch of 1 does."""
    batches = [fit for fit in fits if fit.dimension == "batch_size"]
    if not any(fit.size for fit in batches):
        smallest = min(batches, key=lambda fit: fit.memory_bytes)
        allowed, needed = LIMITS["memory"].format_both(limit, smallest.memory_bytes)
        return Text(
            f"not even a batch of 1 fits {allowed}: it needs {needed} with checkpointing {smallest.checkpointing}"
        )
    asked, ways, sizes, needs, left = zip(*fit_rows(fits, limit, candidate), strict=True)
    table = FittedTable(
        [
            FittedColumn(f"in {format_bytes(limit)}", asked, text=True, at_least=20),
            FittedColumn("checkpointing", ways, text=True),
            FittedColumn("largest", sizes),
            FittedColumn("needs", needs),
            FittedColumn("left", left, 10),
        ]
    )
    steps = {fit.step for fit in fits if fit.dimension == "context" and fit.step > 1}
    coarsest = [f"Contexts go in steps of {step}, the coarsest factor. " for step in steps]
    return Group(table, Text(f"{''.join(coarsest)}{FIT_NOTE}", style="dim"))
