"""`msarch profile`: one model's memory explained, what fits, and another model beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

from rich.console import RenderableType
from rich.status import Status
from rich.text import Text

from msarch.config.candidate import Candidate
from msarch.errors import UserError, quoted, unknown
from search.cli.notes import print_notes
from search.cli.output_files import check_folder, writing
from search.results.conditions import Conditions, describe_conditions
from search.results.named_candidate import NamedCandidate, find_candidate
from search.show.profile.comparison import Compared, Explained, compared, comparison_view, fit_view
from search.show.profile.tables import profile_view
from search.show.terminal.console import make_console, print_line

FORMATS = ("table", "json")


def show_profile(
    model: str,
    trial: str | None,
    conditions: Conditions,
    *,
    fit: int | None,
    against: str | None,
    html: Path | None,
    fmt: str,
) -> None:
    """Profile what `model` names under `conditions`, write the page where asked, then print."""
    if fmt not in FORMATS:
        raise UserError(unknown("format", fmt, FORMATS), key="--format")
    if html is not None and html.suffix != ".html":
        raise UserError(f"{quoted(html.name)} must end in .html: the profile is written as a web page", key="--html")
    check_folder(html)
    named = _under(find_candidate(model, trial), conditions)
    other = _under(_against(against), conditions) if against else None
    print_notes((*named.notes, *(other.notes if other else ())))
    explained = explain(named.candidate)
    figures = compared(explained, explain(other.candidate)) if other else []
    fits = list(_fits(named.candidate, fit)) if fit is not None else []
    if html is not None:
        _write_page(html, named, explained, other, figures, fits, fit)
    if fmt == "json":
        print_line(json.dumps(_as_json(named, explained, other, figures, fits, fit), indent=2))
        return
    console = make_console()
    console.width = console.width if console.is_terminal else 100
    views: list[RenderableType] = [profile_view(named.name, *explained)]
    if other:
        views += [Text(_differing(named, other)), comparison_view((named.name, other.name), figures)]
    if fit is not None:
        views.append(fit_view(fits, fit, named.candidate))
    for number, view in enumerate(views):
        console.print(*([""] if number else []), view, sep="\n")


def explain(candidate: Candidate) -> Explained:
    """The memory profile and inference memory of a candidate."""
    from msarch.memory.inference import inference_memory
    from msarch.memory.profile import profile_training_step

    profile = profile_training_step(candidate.model, candidate.training)
    return candidate, profile, inference_memory(candidate.model, candidate.training)


def _against(source: str) -> NamedCandidate:
    try:
        return find_candidate(source)
    except UserError as error:
        raise UserError(str(error), key="--against") from None


def _under(named: NamedCandidate, conditions: Conditions) -> NamedCandidate:
    return replace(named, candidate=conditions.apply(named.candidate))


def _differing(one: NamedCandidate, other: NamedCandidate) -> str:
    """What the second model is, and under which conditions where they are not the first one's."""
    model, here, there = other.candidate.model, *map(describe_conditions, (one.candidate, other.candidate))
    what = f"against {other.name}: {model.variant} {model.layers}, d_model {model.d_model}"
    return what if here == there else f"{what}\nunder other conditions: {there}"


def _fits(candidate: Candidate, limit: int) -> Iterator[Any]:
    from msarch.memory.fit import Dimension, largest_that_fits

    console = make_console(stderr=True)
    dimensions: tuple[Dimension, ...] = ("batch_size", "context")
    ways: tuple[Literal["none", "block"], ...] = ("none", "block")
    with console.status("profiling") as status:
        for dimension, checkpointing in product(dimensions, ways):
            tell = partial(_tell, status, dimension.removesuffix("_size"), checkpointing)
            yield largest_that_fits(candidate, limit, dimension, checkpointing, tried=tell)


def _tell(status: Status, what: str, checkpointing: str, size: int) -> None:
    status.update(f"profiling {what} {size:,}, checkpointing {checkpointing}")


def _write_page(path: Path, named: NamedCandidate, *parts: Any) -> None:
    from search.show.profile.page import write_profile_page

    with writing(path):
        write_profile_page(path, named, *parts)


def _as_json(
    named: NamedCandidate,
    explained: Explained,
    other: NamedCandidate | None,
    figures: list[Compared],
    fits: list[Any],
    limit: int | None,
) -> dict[str, Any]:
    candidate, profile, inference = explained
    plain: dict[str, Any] = {"name": named.name, **candidate.to_dict(), "profile": asdict(profile)}
    plain["profile"] |= {"by_kind": profile.by_kind, "by_scale": profile.by_scale, "by_layer": profile.by_layer}
    plain["inference"] = asdict(inference)
    if other:
        rows = {each.name: {"this": each.one, "other": each.other, "ratio": each.ratio} for each in figures}
        plain["against"] = {"name": other.name, **other.candidate.to_dict(), "figures": rows}
    if limit is not None:
        plain["fit"] = {"memory_bytes": limit, "largest": [asdict(fit) for fit in fits]}
    return plain
