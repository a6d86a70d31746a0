"""What a space holds, for people: its parameters, how many combinations, an example, what its limits admit."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.units import format_count
from search.show.terminal.fitted_table import FittedColumn, FittedTable
from search.space.limits import alike, violations
from search.space.objectives import LIMITS
from search.space.schema.search import SearchSettings
from search.space.space import Space
from search.space.values.branches import Parameter

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text


class RandomTrial:
    """Answers Optuna's suggest API at random: a sample needs no study."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices, each as likely."""
        return self._random.choice(choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number, its logarithm uniform where asked."""
        if log:
            return min(high, int(low * (high / low + 1 / low) ** self._random.random()))
        return self._random.randrange(low, high + 1, step)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number, its logarithm uniform where asked."""
        if step is not None:
            return low + step * self._random.randint(0, round((high - low) / step))
        return min(high, low * (high / low) ** self._random.random()) if log else self._random.uniform(low, high)


def sample_candidates(space: Space, count: int, *, seed: int = 0) -> list[Candidate]:
    """Candidates drawn at random, the same for the same seed."""
    trial = RandomTrial(random.Random(seed))
    return [space.suggest(trial) for _ in range(count)]


def excesses(space: Space, candidates: Sequence[Candidate], *, seconds: float = math.inf) -> list[dict[str, float]]:
    """By how much each candidate exceeds each limit and constraint, by name, for as many as `seconds` allow."""
    from msarch.memory.candidate_profile import CandidateProfile  # imports torch

    profiles: dict[Candidate, Mapping[str, Any]] = {}
    found: list[dict[str, float]] = []
    end = time.monotonic() + seconds
    for candidate in candidates:
        like = alike(candidate)
        if space.limits and like not in profiles:
            if found and time.monotonic() > end:
                break
            profiles[like] = CandidateProfile(candidate)
        found.append(violations(space, candidate, profiles.get(like, {})))
    return found


def admitted_shares(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The share of the candidates measured by `excesses` that each limit admits; ``all together`` where several."""
    shares = {name: sum(excess[name] <= 0 for excess in found) / len(found) for name in found[0]}
    if len(shares) > 1:
        shares["all together"] = sum(all(gap <= 0 for gap in excess.values()) for excess in found) / len(found)
    return shares


def describe_space(space: Space, sample: int = 200, *, seconds: float = 30.0) -> RenderableType:
    """All of the above as one rich renderable.

    Up to `sample` candidates are profiled, a fraction of a second each, as long as `seconds` last; 0 profiles none.
    """
    from rich.console import Group
    from rich.text import Text

    candidates = sample_candidates(space, max(1, sample))
    parts: list[RenderableType] = [Text(f"{space.name}  ({space.file})", style="bold"), *_settings(space)]
    parts += [_parameters(space), Text(_combinations(space))]
    parts += [Text(""), Text("An example candidate", style="bold"), _Drawn(candidates[0])]
    if sample and (space.limits or space.constraints):
        parts += [Text(""), *_shares(space, excesses(space, candidates, seconds=seconds))]
    return Group(*parts)


class _Drawn:
    """A candidate's model, drawn as wide as there is room; torch is imported, for a drawing is of the model itself."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        from search.show.drawing.text import WIDTH, draw_text

        yield Text(draw_text(self.candidate.model, min(WIDTH, options.max_width)), no_wrap=True)


def _settings(space: Space) -> list[RenderableType]:
    from rich.text import Text

    corpus = space.corpus
    named = {"huggingface": corpus.name, "files": " ".join(corpus.train)}.get(corpus.source, corpus.source)
    search = space.search
    return [
        Text(f"corpus      {named}"),
        Text(f"objectives  {', '.join(space.objectives)}"),
        Text(f"search      {_strategy(search)}, {_budget(search)}, seed {search.seed}"),
        Text(""),
    ]


def _strategy(search: SearchSettings) -> str:
    return "strategy front" if search.strategy == "front" else f"{search.sampler}, pruner {search.pruner}"


def _budget(search: SearchSettings) -> str:
    return f"{search.trials} trials" if search.tokens is None else f"{format_count(search.tokens)} tokens"


def _parameters(space: Space) -> FittedTable:
    rows = [("variant", ", ".join(space.branches))] if len(space.branches) > 1 else []
    rows += [(f"{branch.variant}/layers", str(each)) for branch in space.branches.values() for each in branch.layers]
    rows += [_row(space, parameter) for parameter in space.parameters()]
    rows += [("tried first", ", ".join(f"{key} {value}" for key, value in point.items())) for point in space.points]
    names, values = zip(*rows, strict=True)
    return FittedTable([FittedColumn("parameter", names, text=True), FittedColumn("values", values, text=True)])


def _row(space: Space, parameter: Parameter) -> tuple[str, str]:
    """Name and values; a tokenizer whose vocabulary is not the space's to choose goes by its kind or file."""
    tokenizer = space.corpus.tokenizer
    if parameter is not space.vocabulary or tokenizer.kind == "bpe":
        return parameter.name, str(parameter.domain)
    return "tokenizer", "bytes" if tokenizer.kind == "bytes" else f"{tokenizer.file}, {parameter.domain} tokens"


def _combinations(space: Space) -> str:
    count = space.combinations()
    if count is not None:
        return f"\n{format_count(count)} combinations"
    models = [branch.combinations() for branch in space.branches.values()]
    known = [count for count in models if count is not None]
    counted = f"; {format_count(sum(known))} combinations of the rest of the model" if len(known) == len(models) else ""
    return f"\nendlessly many combinations: a parameter is continuous{counted}"


def _shares(space: Space, found: Sequence[dict[str, float]]) -> list[RenderableType]:
    from rich.text import Text

    shares = admitted_shares(found)
    limits = [f"{n} {LIMITS[n].format(space.limits[n])}" if n in space.limits else n for n in shares]
    admitted = [f"{share:.0%}" for share in shares.values()]
    table = FittedTable([FittedColumn("limit", limits, text=True), FittedColumn("admits", admitted)])
    return [Text(f"Of {len(found)} random candidates", style="bold"), table]
