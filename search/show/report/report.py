"""report.html: a search on one page that needs no network, with Plotly and its figures inside.

All text that a user wrote is escaped; the page's own policy forbids it to fetch anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from msarch.atomic_files import atomic_write
from search.ledger.records import TrialRecord
from search.results.confirm.confirmation import Confirmation
from search.results.front import best, pareto_front, reference_point, split
from search.results.results import Bundle
from search.show.confirmed import confirmed_sections, trust
from search.show.palette import formatter
from search.show.report.cards import cards, reproduce_command
from search.show.report.costs import Cost, costs_of
from search.show.report.data import as_json, packed_trials
from search.show.report.headline import headline
from search.show.report.page import (
    dark_colours,
    figures_script,
    page_script,
    page_template,
    plotly_tags,
    style,
)
from search.show.report.sections import CAPTIONS, Sections, make_sections
from search.space.objectives import OBJECTIVES

STATES = ("complete", "paused", "pruned", "infeasible", "duplicate", "failed", "running")


def write_report(
    path: Path,
    records: Sequence[TrialRecord],
    *,
    title: str,
    objectives: Sequence[str],
    limits: dict[str, int],
    environment: dict[str, Any],
    results: str,
    conditions: str = "",
    bundle: Bundle = "inside",
    confirmed: Confirmation | None = None,
) -> None:
    """Writes the page to `path`, whole or not at all.

    `title` names the space; `limits` are in the limits' own units; `environment` holds plain values;
    `results` is the folder as it is typed after `msarch reproduce`; `conditions` are those of the costs where
    they are not as trained; `bundle` is where Plotly's code stands; `confirmed` is what further seeds say of the front.
    """
    path = Path(path)
    ordered = sorted(records, key=lambda record: record.number)
    costs = costs_of(ordered, objectives, conditions)
    sections = make_sections(ordered, objectives, limits, costs, conditions, confirmed)
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(page_template())
    text = page.render(
        **plotly_tags(path, bundle),
        title=title,
        style=Markup(style()),
        headline=headline(ordered, objectives) | _trust(ordered, objectives, confirmed),
        counts=_counts(ordered, limits, conditions),
        cards=cards(ordered, objectives, reference_point(ordered, objectives, limits), results),
        counted=len(ordered),
        quality=OBJECTIVES[split(objectives)[0]].label,
        costs=sections.costs,
        captions=CAPTIONS | sections.captions,
        tables=sections.tables,
        confirmed=confirmed_sections(confirmed) if confirmed else [],
        notes=_notes(ordered, conditions),
        environment=_flat(environment),
        dark=dark_colours(),
        data=_data(ordered, objectives, costs, sections, title, results),
        figures_script=figures_script(),
        script=page_script(),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _data(
    records: Sequence[TrialRecord],
    objectives: Sequence[str],
    costs: Sequence[Cost],
    sections: Sections,
    title: str,
    results: str,
) -> dict[str, Markup]:
    """What the script reads, as JSON by the name of its element."""
    front = {record.number for record in pareto_front(records, objectives)}
    first = best(records, quality=split(objectives)[0])
    about = {
        "title": title,
        "costs": [cost.name for cost in costs],
        "chosen": first.number if first else None,
        "reproduce": reproduce_command(results, "NUMBER"),
    }
    parts: dict[str, Mapping[str, Any]] = {
        "trials-data": packed_trials(records, front),
        "drawings": sections.drawings,
        "figures": sections.figures,
        "about": about,
    }
    return {name: Markup(as_json(part)) for name, part in parts.items()}


def _trust(
    records: Sequence[TrialRecord], objectives: Sequence[str], confirmed: Confirmation | None
) -> dict[str, Markup]:
    top = best(records, quality=split(objectives)[0])
    return {"trust": Markup.escape(trust(confirmed, top.number))} if confirmed and top else {}


def _counts(records: Sequence[TrialRecord], limits: Mapping[str, int], conditions: str) -> list[str]:
    counts = Counter(record.shown_state for record in records)
    words = [f"{len(records):,} {'trial' if len(records) == 1 else 'trials'}"]
    words += [f"{counts[state]:,} {state}" for state in STATES if counts[state]]
    words += [f"{name.replace('_', ' ')} at most {formatter(name)(limit)}" for name, limit in limits.items()]
    return [*words, *([f"memory with {conditions}, perplexity as trained"] if conditions else [])]


_CONDITIONS = (
    "What if: memory, cache and operations are those of a training step with {}. Perplexity, times and curves are as "
    "trained, under each trial's own conditions. Only complete trials are shown."
)
_NOTES = [
    "Perplexity is exp of the mean loss on text that was not trained on: the model is as unsure of the next token as "
    "if it chose among that many at random. Lower is better. It compares within one corpus and one tokenizer only, "
    "bits per byte within one corpus.",
    "Memory is the predicted peak of one full training step of exactly what was trained; unfused is the same with "
    "attention that keeps its scores. A measured figure stands beside it where a GPU measured one.",
    "An infeasible trial was above a limit and never trained.",
    "Each trial can be reproduced. The order of trials in a parallel search cannot: another run of the same "
    "search may propose others. With one trial at a time it is the same.",
]


_STOPPED = {
    "paused": "A paused trial was stopped early because the search expected more from training others. Its checkpoint "
    "is kept: the same command with more tokens resumes the most promising of them.",
    "pruned": "A pruned trial was stopped early for good: it was clearly behind trials that cost no more, or, where "
    "trials are paused, there was no room left for its checkpoint.",
}


def _notes(records: Sequence[TrialRecord], conditions: str) -> list[str]:
    states = {record.shown_state for record in records}
    under = [_CONDITIONS.format(conditions)] if conditions else []
    return [*under, *_NOTES, *(note for state, note in _STOPPED.items() if state in states)]


def _flat(environment: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values of the environment as people read them; nested ones as `torch.version`."""
    lines: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            lines.append((f"{prefix}{name}".replace("_", " "), shown))
    return lines
