"""The first lines of a report, in words: what was searched, on what, how long, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from msarch.config.corpus import CorpusConfig
from msarch.units import format_count, format_seconds
from search.ledger.metrics import metric
from search.ledger.records import TRAINED, TrialRecord
from search.results.front import split
from search.results.variants import BASELINE
from search.results.verdict import AS_GOOD, Verdict, verdict
from search.show.palette import formatter
from search.show.terminal.front_table import format_figure
from search.space.objectives import OBJECTIVES


def headline(records: Sequence[TrialRecord], objectives: Sequence[str], conditions: str = "") -> dict[str, Markup]:
    """Safe markup: `outcome`, the sentence that matters most, then `searched` and `trust`."""
    plane = split(objectives)
    found = verdict(records, plane)
    return {
        "outcome": _outcome(found, plane) if found else Markup(_nothing(records)),
        "searched": Markup.escape(_searched(records)),
        "trust": Markup(_trust(found)) if found else Markup(""),
    }


def _outcome(found: Verdict, plane: tuple[str, str]) -> Markup:
    best = Markup("{}: {}").format(_name(found.best), _figures(found.best, plane))
    if found.rival is None:
        missing = "multi-scale" if _is_vanilla(found.best) else "vanilla"
        return Markup("Best: {}. No {} model is complete, so there is nothing to compare it with.").format(
            best, missing
        )
    quality, cost = (_word(name) for name in plane)
    near = f"within {_percent(AS_GOOD)} of its {quality}"
    if found.as_good and not _is_vanilla(found.best):
        saved = _difference(found.extra_cost, cost, "than")
        return Markup("{}, {} the cheapest vanilla model {}.").format(best, saved, near)
    if found.as_good:
        needed = _difference(1 / (1 + found.extra_cost) - 1, cost, "")
        return Markup("{}. The cheapest multi-scale model {}, {}, needs {}.").format(
            best, near, _name(found.rival), needed
        )
    camp = "multi-scale" if _is_vanilla(found.best) else BASELINE
    rival = _layers(found.rival) if camp == BASELINE else _name(found.rival)
    return Markup("{}. The best {} model, {}, has {} higher {}, at {}.").format(
        best, camp, rival, _percent(found.extra_quality), quality, _cost(found.rival, plane[1])
    )


def _difference(share: float, what: str, than: str) -> str:
    """``31 % less memory than``, or ``as much memory as`` where that rounds to nothing."""
    if _percent(share) == _percent(0):
        return f"as much {what}{' as' if than else ''}"
    return f"{_percent(share)} {'more' if share > 0 else 'less'} {what} {than}".strip()


def _percent(share: float) -> str:
    """``31 %``; one digit more below 10 %."""
    text = f"{abs(share) * 100:.0f}" if abs(share) >= 0.0995 or share == AS_GOOD else f"{abs(share) * 100:.1f}"
    return f"{text.removesuffix('.0')}\u00a0%"


def _name(record: TrialRecord) -> Markup:
    return Markup("{} {}").format(record.candidate.model.variant, _layers(record))


def _layers(record: TrialRecord) -> Markup:
    return Markup("<code>{}</code>").format(record.candidate.model.layers)


def _figures(record: TrialRecord, plane: tuple[str, str]) -> str:
    quality = format_figure(record, OBJECTIVES[plane[0]].key)
    return f"{_word(plane[0])} {quality} at {_cost(record, plane[1])}"


def _cost(record: TrialRecord, cost: str) -> str:
    value = metric(record, OBJECTIVES[cost].key)
    assert value is not None
    text = formatter(cost)(value)
    return text if OBJECTIVES[cost].unit else f"{text} {OBJECTIVES[cost].label}"


def _word(name: str) -> str:
    return {"perplexity": "perplexity", "memory": "memory"}.get(name, OBJECTIVES[name].label)


def _is_vanilla(record: TrialRecord) -> bool:
    return record.candidate.model.variant == BASELINE


def _nothing(records: Sequence[TrialRecord]) -> str:
    return "No trial is complete yet, so there is no front." if records else "No trial was run yet."


def _searched(records: Sequence[TrialRecord]) -> str:
    """How many models of which variants, on what text, for how long."""
    trained = [record for record in records if record.state in TRAINED]
    if not trained:
        return ""
    variants = list(dict.fromkeys(record.candidate.model.variant for record in trained))
    counts = Counter(record.shown_state for record in records)
    budgets = sorted({record.candidate.training.tokens for record in trained})
    tokens = " to ".join(format_count(each) for each in dict.fromkeys((budgets[0], budgets[-1])))
    seconds = format_seconds(sum(record.seconds for record in trained))
    models = "1 model" if len(trained) == 1 else f"{len(trained):,} models"
    ruled_out = counts["infeasible"]
    never = f" {ruled_out:,} more {_were(ruled_out)} above a limit and never trained." if ruled_out else ""
    corpus = _corpus(trained[0].candidate.corpus)
    return (
        f"{models} ({_listed(variants)}) {_were(len(trained))} trained on {corpus}, with a budget of {tokens} "
        f"tokens each, {seconds} of training in all.{_stopped(counts)}{never}"
    )


def _stopped(counts: Counter[str]) -> str:
    """How many were not trained to their end."""
    paused, pruned = counts["paused"], counts["pruned"]
    if not paused:
        return f" {pruned:,} of them {_were(pruned)} stopped early." if pruned else ""
    rest = f", and {pruned:,} {_were(pruned)} stopped early for good" if pruned else ""
    return f" {paused:,} of them {'is' if paused == 1 else 'are'} paused before the end{rest}."


def _trust(found: Verdict) -> str:
    rest = " Treat small differences, such as those between neighbours on the front, as noise." if found.rival else ""
    return f"Each model was trained once: how much results differ from seed to seed was not measured here.{rest}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _corpus(corpus: CorpusConfig) -> str:
    if corpus.source == "files":
        return ", ".join(corpus.train)
    if corpus.source == "huggingface":
        return " ".join(filter(None, (corpus.name, corpus.config)))
    return "the documentation that comes with Python"
