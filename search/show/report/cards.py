"""The cards at the top of a report: best, knee, hypervolume, and what stopping early saved."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.ledger.records import TrialRecord
from search.results.efficiency import pruning
from search.results.front import best, hypervolume, knee, pareto_front, split
from search.show.palette import formatter
from search.show.stopped import stopped_word
from search.show.terminal.front_table import format_figure
from search.space.objectives import OBJECTIVES


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A heading, a figure, what it means, and perhaps a command to copy."""

    title: str
    figure: str
    text: str
    command: str = ""


def cards(
    records: Sequence[TrialRecord], objectives: Sequence[str], reference: Mapping[str, float], results: str
) -> list[Card]:
    """Best and knee (one card where they are the same trial), hypervolume, early stopping."""
    top = best(records, quality=split(objectives)[0])
    if top is None:
        return [Card(title="No front yet", figure="0 trials complete", text="No trial has been trained to its end.")]
    bend = knee(records, objectives) if len(pareto_front(records, objectives)) > 2 else None
    found = [_trial_card("Best" if bend is not top else "Best, and knee of the front", top, objectives, results)]
    if bend is not None and bend is not top:
        found.append(_trial_card("Knee of the front", bend, objectives, results, _KNEE))
    return [*found, _volume_card(records, objectives, reference), *_pruner_cards(records, objectives)]


_KNEE = " Beyond it, more spending buys less: it is the point farthest from the line between the front's ends."


def reproduce_command(results: str, trial: object) -> str:
    """What is typed to train a trial again."""
    return f"msarch reproduce {shlex.quote(results)} --trial {trial}"


def _trial_card(title: str, record: TrialRecord, objectives: Sequence[str], results: str, meaning: str = "") -> Card:
    model = record.candidate.model
    figures = [format_figure(record, OBJECTIVES[name].key) for name in split(objectives)]
    quality = OBJECTIVES[split(objectives)[0]].label.removeprefix("validation ")
    text = f"{model.variant} {model.layers}, d_model {model.d_model}, {format_figure(record, 'parameters')} parameters."
    return Card(
        title=f"{title}: trial {record.number}",
        figure=" at ".join((f"{quality} {figures[0]}", figures[1].replace(" ", "\u00a0"))),
        text=text + meaning,
        command=reproduce_command(results, record.number),
    )


def _volume_card(records: Sequence[TrialRecord], objectives: Sequence[str], reference: Mapping[str, float]) -> Card:
    where = ", ".join(f"{OBJECTIVES[name].label} {formatter(name)(value)}" for name, value in reference.items())
    volume = hypervolume(records, objectives, reference=reference)
    size = len(pareto_front(records, objectives))
    on_front = f"{size} {'trial is' if size == 1 else 'trials are'} on the front."
    what = "area" if len(objectives) == 2 else "volume"
    axes = " × ".join(_volume_axis(name) for name in objectives)
    text = (
        f"{on_front} The hypervolume is the {what} between the front and a fixed bad point, so more is better. "
        f"Measured over {axes}, from the reference point {where}."
    )
    return Card(title="Hypervolume", figure=f"{volume:.3f}", text=text)


def _volume_axis(objective: str) -> str:
    if objective == "perplexity":
        return "loss in nats"
    return OBJECTIVES[objective].label if OBJECTIVES[objective].quality else f"log {OBJECTIVES[objective].label}"


def _pruner_cards(records: Sequence[TrialRecord], objectives: Sequence[str]) -> list[Card]:
    """What early stopping saved and how often it was wrong; no card where it never came to that."""
    found = pruning(records, objectives)
    if not found.pruned and not found.controls:
        return []
    paused = sum(record.paused for record in records)
    word = stopped_word(records)
    stopped = f"{found.pruned:,} {'trial was' if found.pruned == 1 else 'trials were'} stopped early ({word}), which "
    saved = f"saved {found.saved * 100:.0f}\u00a0% of the training tokens. "
    if paused:  # the strategy front has no pruner
        text = "Their checkpoints are kept: the same command with more tokens resumes the most promising of them."
        return [Card(title="Stopped early", figure=f"{paused:,} paused", text=stopped + saved + text)]
    if not found.controls:
        text = "No trial that it would have stopped ran on as a control, so its rate of error is not known."
        return [Card(title="Pruner", figure="rate of error unknown", text=stopped + saved + text)]
    runs = "1 trial" if found.controls == 1 else f"{found.controls:,} trials"
    text = (
        f"{stopped}{saved}{runs} that it would have stopped ran on as a control, to see how it ends; "
        f"{found.wrong:,} ended ahead of every trial that costs no more."
    )
    return [Card(title="Pruner", figure=f"wrong in {found.wrong:,} of {found.controls:,}", text=text)]
