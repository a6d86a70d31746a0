"""Do training curves foretell which model is better at a larger budget, or is the last loss as good a guide?

    python -m benchmarks.foretold_order results/NAME results/budgets.csv
    python -m benchmarks.foretold_order results/WSD --quarters results/quarters.csv

Of every model only what was known at a quarter of its budget is used (`--share`). Models are then ordered by

last    the last loss known there: at the end of a decay where one was made, else at the last rung
own     the power law of each curve, fitted alone (`benchmarks.power_law`)
shared  power laws fitted to all curves together (`benchmarks.shared_law`)

and each order is compared with that of the losses at the whole budget by Kendall's tau: 1 where all pairs stand in
the right order, 0 where as many do as do not. Intervals (5 % to 95 %) are those of a bootstrap over models. Only models
that were trained on the same text for the same budget are compared.

A source is a results folder, best of a search without pruning, or a CSV of finished runs as other benchmarks write
them. In a CSV, a model and seed with several budgets is one run at a constant rate with a decay to each budget. The
rate of a cosine is nearly constant up to a quarter (0.87 of its peak), so such runs are used too. Rungs in the
warm-up, the first twentieth, are left out, and so are models with fewer than three rungs by then.

With `--quarters` every complete trial of the results folders (schedule wsd) is trained once more, for a quarter of its
tokens and with a decay of its own, as a small search would have. That is how such a forecast would be used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.power_law import fit
from benchmarks.shared_law import Curve, Floats, foretell
from msarch import Candidate, load_results
from msarch.data.token_set import prepare_tokens
from msarch.training.schedule import DECAY_SHARE
from msarch.training.trainer import Trainer
from msarch.units import format_count

WARMUP, LEAST_RUNGS, LEAST_MODELS = 0.05, 3, 4
SLACK = 1.03
"""Rungs stand at whole steps, so up to this much beyond their share."""
DRAWS = 2_000


@dataclass(frozen=True, eq=False)
class Known:
    """One model: what was known of it at a share of its budget, and its loss at the whole."""

    curve: Curve
    end: float

    @property
    def last(self) -> float:
        """The loss at the end of the last decay, or else at the last rung."""
        decayed = self.curve.losses[self.curve.decayed]
        return float(decayed[-1] if len(decayed) else self.curve.losses[-1])


@dataclass(frozen=True, eq=False)
class Group:
    """Models that were trained on the same text for the same budget."""

    name: str
    budget: int
    models: list[Known]


def main(command: Sequence[str] | None = None) -> None:
    """Print a line for each group of models."""
    parser = argparse.ArgumentParser(description="Do curves foretell the order of models at a larger budget?")
    parser.add_argument("sources", type=Path, nargs="+", help="results folders, or CSVs of finished runs")
    parser.add_argument("--share", type=float, default=0.25, help="of the budget that is known (default 0.25)")
    parser.add_argument("--quarters", type=Path, help="train trials again at a quarter; CSV of finished ones")
    arguments = parser.parse_args(command)
    groups: list[Group] = []
    for source in arguments.sources:
        if source.is_dir() and arguments.quarters:
            train_quarters(source, arguments.quarters)
            groups += groups_of(with_quarters(source, arguments.quarters), f"{source.name}, decayed", arguments.share)
        lines = lines_of(source) if source.is_dir() else pd.read_csv(source)
        groups += groups_of(lines, source.stem, arguments.share)
    Console(width=120).print(table([group for group in groups if len(group.models) >= LEAST_MODELS], arguments.share))


def lines_of(folder: Path) -> pd.DataFrame:
    """A line a validation of each complete trial of a search, as in a CSV of finished runs."""
    rows = []
    for record in load_results(folder).records:
        if record.state != "complete":
            continue
        name = {"model": f"trial {record.number}", "tokenizer": record.candidate.corpus.tokenizer.kind}
        known = {**name, "seed": record.candidate.seed, "budget": record.candidate.training.tokens}
        rows += [{**known, "tokens": point.tokens, "loss": point.loss} for point in record.curve]
    return pd.DataFrame(rows)


def train_quarters(folder: Path, file: Path) -> None:
    """Each complete trial once more at a quarter of its budget; finished ones are kept in `file`."""
    for record in load_results(folder).records:
        if record.candidate.training.schedule != "wsd":
            raise SystemExit(f"{folder}: trial {record.number} has no constant rate; search with training.schedule=wsd")
        finished = set(pd.read_csv(file).digest) if file.exists() else set()
        candidate = quarter(record.candidate)
        if record.state != "complete" or candidate.digest() in finished:
            continue
        trainer = Trainer(candidate, prepare_tokens(candidate.corpus))
        while not trainer.finished:
            trainer.advance()
        name = {"model": f"trial {record.number}", "tokenizer": candidate.corpus.tokenizer.kind}
        known = {**name, "seed": candidate.seed, "budget": candidate.training.tokens}
        rows = [{**known, "tokens": p.tokens, "loss": p.loss, "digest": candidate.digest()} for p in trainer.curve]
        file.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(file, mode="a", header=not file.exists(), index=False)


def quarter(candidate: Candidate) -> Candidate:
    """The same with a quarter of the tokens: as many steps of warm-up, the same validation, more rungs."""
    training = candidate.training
    shorter = replace(
        training,
        tokens=training.tokens // 4,
        warmup=min(1.0, 4 * training.warmup),
        rungs=(0.25, 0.5, 0.65, 0.8, 1.0),
        validation_tokens=training.targets(),
    )
    return replace(candidate, training=shorter)


def with_quarters(folder: Path, file: Path) -> pd.DataFrame:
    """Trials at both budgets, each as one run with two decays."""
    both, quarters = lines_of(folder), pd.read_csv(file)
    return pd.concat([quarters[quarters.model.isin(both.model)], both[both.model.isin(quarters.model)]])


def groups_of(lines: pd.DataFrame, name: str, share: float) -> Iterator[Group]:
    """The models of a table by tokenizer and whole budget, those alone whose curves carry a fit."""
    for tokenizer, same_text in lines.groupby("tokenizer"):
        runs = [run for _, run in same_text.groupby(["model", "seed"])]
        for budget in sorted(set(same_text.budget)):
            found = (known(run, budget, share) for run in runs if budget in set(run.budget))
            yield Group(f"{name}, {tokenizer}", int(budget), [model for model in found if model is not None])


def known(run: pd.DataFrame, budget: int, share: float) -> Known | None:
    """What was known of a run at a share of a budget; None where that is too little, or where it diverged."""
    end = run[run.budget == budget].loss.iloc[-1]
    early = run[(run.tokens <= share * budget * SLACK) & (run.tokens > WARMUP * run.budget.min())]
    early = early.sort_values("tokens").drop_duplicates(["tokens", "loss"])
    decayed = (early.tokens > (1 - DECAY_SHARE) * early.budget * SLACK).to_numpy()
    curve = Curve(early.tokens.to_numpy(float), early.loss.to_numpy(float), decayed)
    if len(set(curve.constant[0])) < LEAST_RUNGS or not np.isfinite([*curve.losses, end]).all():
        return None
    return Known(curve, float(end))


def table(groups: list[Group], share: float) -> Table:
    """A line a group: tau of each order, and how much better the shared laws' is than that of the last losses."""
    title = f"Kendall's tau with the order at the whole budget, from what was known at {share:.0%} of it"
    out = Table(
        "models", "number", "budget", "rungs", "last", "own", "shared", "shared less last", "falls", title=title
    )
    out.caption = "falls: correlation of the fall that the shared laws foretell from the last loss on with the true one"
    for group in groups:
        ends = np.array([model.end for model in group.models])
        last, own, shared = by_last(group), by_own_law(group), by_shared_law(group)
        draws = {name: bootstrap(losses, ends) for name, losses in (("last", last), ("own", own), ("shared", shared))}
        out.add_row(
            group.name,
            str(len(ends)),
            format_count(group.budget),
            str(min(len(model.curve.constant[0]) for model in group.models)),
            *(
                _cell(kendall(losses, ends), each)
                for losses, each in zip((last, own, shared), draws.values(), strict=True)
            ),
            _cell(kendall(shared, ends) - kendall(last, ends), draws["shared"] - draws["last"]),
            f"{np.corrcoef(last - shared, last - ends)[0, 1]:+.2f}",
        )
    return out


def by_last(group: Group) -> Floats:
    """The losses last known."""
    return np.array([model.last for model in group.models])


def by_own_law(group: Group) -> Floats:
    """Each curve's own law at the whole budget; what it falls from the last rung on is taken off the last loss."""
    found = []
    for model in group.models:
        tokens, losses = model.curve.constant
        law = fit(tokens, losses)
        start = float(law.at(model.curve.tokens[-1])) if model.curve.decayed.any() else model.last
        found.append(model.last + float(law.at(group.budget)) - start)
    return np.array(found)


def by_shared_law(group: Group) -> Floats:
    """The laws of all curves, fitted together, at the whole budget."""
    return foretell([model.curve for model in group.models], group.budget)


def kendall(first: Floats, second: Floats, weights: NDArray[np.int64] | None = None) -> float:
    """Kendall's tau: pairs in the same order less pairs in the other, as a share; `weights` counts each model."""
    counts = np.ones(len(first), dtype=int) if weights is None else weights
    pairs = np.triu(np.outer(counts, counts), k=1)
    agree = np.sign(np.subtract.outer(first, first)) * np.sign(np.subtract.outer(second, second))
    return float((pairs * agree).sum() / pairs.sum())


def bootstrap(losses: Floats, ends: Floats) -> Floats:
    """Tau over `DRAWS` samples of the models with replacement, the same samples for each order."""
    models = len(ends)
    samples = np.random.default_rng(0).multinomial(models, np.full(models, 1 / models), size=DRAWS)
    several = samples[(samples > 0).sum(axis=1) > 1]  # one model alone has no order
    return np.array([kendall(losses, ends, sample) for sample in several])


def _cell(value: float, draws: Floats) -> str:
    low, high = np.quantile(draws, [0.05, 0.95])
    return f"{value:.2f}\n{low:.2f} to {high:.2f}"


if __name__ == "__main__":
    main()
