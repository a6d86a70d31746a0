"""Do training-free scores foretell the loss of trained models, and what do they cost?

    python -m benchmarks.proxies results/reference
    python -m benchmarks.proxies results/reference results/other --csv proxies.csv

Each TABLE is a results folder; its complete trials count, also while its search still runs. Every score of
`msarch.proxies` is computed for every model and set beside the loss that its training ended with. Kendall's tau-b:

overall       over all pairs of models
by variant    over the pairs of one variant, mean over variants, weighted by their numbers of pairs
at memory     over the pairs whose predicted memory differs by at most 10 % (`--within`): a search has to choose there

A score of which more is better has a negative tau. Beside each stands the 95 % interval of a bootstrap over models,
where there are 20 pairs or more. Of trials of one model with several learning rates the best counts, of several seeds
their mean: no score sees a learning rate. Cost, the model's construction included, is in training steps of the same
model on one thread: the median of `--timed` models. What the memory profile knows costs nothing more.

The text is found as `msarch reproduce` does: by the hash of its content in the cache, or at its recorded paths from
here, or where `--set corpus.train=...` says.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import mean, median

import pandas as pd
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.rank_agreement import Pairs, alike, all_pairs, interval, mean_within, near, tau_b
from msarch import Candidate, ModelConfig, TrainingConfig, UserError, load_results
from msarch.data.batches import training_batch
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.memory.profile import memory_key
from msarch.proxies import PROXIES, score_candidate
from msarch.training.step import training_step
from msarch.training.trainer import Trainer
from search.ledger.records import TrialRecord
from search.results.reproduce import with_corpus

Trained = tuple[ModelConfig, TrainingConfig]
FEW = 20
"""Pairs below which a bootstrap says little, and no interval is shown."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One architecture of a table; `loss` in nats per token, `memory` in bytes."""

    candidate: Candidate
    loss: float
    memory: int


@dataclass(frozen=True)
class Scored:
    """The models of a table, and the scores of each."""

    name: str
    models: list[Model]
    scores: pd.DataFrame

    @cached_property
    def losses(self) -> list[float]:
        """Final losses."""
        return [model.loss for model in self.models]

    def measures(self, within: float) -> list[tuple[str, Pairs, Callable[[str, Pairs], float]]]:
        """Each kind of agreement: its name, its pairs, and what it is for a score and some weights of its pairs."""
        variants = [model.candidate.model.variant for model in self.models]

        def over_pairs(proxy: str, pairs: Pairs) -> float:
            return tau_b(self.scores[proxy], self.losses, pairs)

        def by_variant(proxy: str, pairs: Pairs) -> float:
            return mean_within(self.scores[proxy], self.losses, variants, pairs)

        return [
            ("overall", all_pairs(len(self.models)), over_pairs),
            ("by variant", alike(variants), by_variant),
            ("at memory", near([model.memory for model in self.models], within), over_pairs),
        ]


def main(command: Sequence[str] | None = None) -> None:
    """Score every model and print a table for each results folder."""
    parser = argparse.ArgumentParser(description="Kendall's tau of training-free scores with the final loss.")
    parser.add_argument("tables", type=Path, nargs="+", metavar="TABLE", help="results folders")
    parser.add_argument("--within", type=float, default=0.1, help="what counts as equal memory (default 0.1: 10 %%)")
    parser.add_argument("--draws", type=int, default=1000, help="draws of the bootstrap (default 1,000)")
    parser.add_argument("--timed", type=int, default=5, help="models whose costs are measured (default 5; 0: none)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=PATTERN", help="where the text lies now")
    parser.add_argument("--csv", type=Path, help="write the scores, a line a model")
    arguments = parser.parse_args(command)
    torch.set_num_threads(1)
    console = Console(width=130)
    scored = []
    try:
        for folder in arguments.tables:
            models = models_of(load_results(folder, skip_damaged=True).records)
            if len(models) < 2:
                raise UserError(f"has {len(models)} complete models; two are needed at least", file=str(folder))
            tokens = prepare_tokens(with_corpus(models[0].candidate, arguments.set).corpus)
            scored.append(Scored(str(folder), models, scores_of(models, tokens)))
            console.print(table(scored[-1], costs(spread(models, arguments.timed), tokens), arguments))
    except UserError as error:
        parser.error(str(error))
    console.print(f"{platform.machine()}, one thread, torch {torch.__version__}; *: the interval leaves out 0")
    if arguments.csv:
        pd.concat(map(lines, scored)).to_csv(arguments.csv, index=False)


def models_of(records: Iterable[TrialRecord]) -> list[Model]:
    """The complete trials of each architecture as one: mean over seeds, then the best way to train it."""
    losses: dict[Trained, list[float]] = defaultdict(list)
    first: dict[Trained, TrialRecord] = {}
    for record in records:
        if record.state == "complete" and record.loss is not None:
            key = record.candidate.model, record.candidate.training
            losses[key].append(record.loss)
            first.setdefault(key, record)
    best: dict[Trained, Model] = {}
    for (config, training), found in losses.items():
        record = first[config, training]
        model = Model(candidate=record.candidate, loss=mean(found), memory=record.profile["memory_bytes"])
        kind = config, memory_key(training)
        if kind not in best or model.loss < best[kind].loss:
            best[kind] = model
    return list(best.values())


def scores_of(models: Sequence[Model], tokens: TokenSet) -> pd.DataFrame:
    """A row a model, a column a score."""
    rows = [score_candidate(model.candidate, tokens) for model in track(models, "scoring", transient=True)]
    return pd.DataFrame(rows)


def spread(models: Sequence[Model], count: int) -> list[Model]:
    """So many of them, from the smallest to the largest memory."""
    by_memory = sorted(models, key=lambda model: model.memory)
    if count >= len(by_memory):
        return by_memory
    return [by_memory[round((i + 0.5) * len(by_memory) / count - 0.5)] for i in range(count)]


def costs(models: Sequence[Model], tokens: TokenSet) -> dict[str, float]:
    """What each score costs in training steps: the median over models of a ratio of processor times."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for model in track(models, "timing", transient=True):
        step = training_seconds(model.candidate, tokens)
        for name, proxy in PROXIES.items():
            score = partial(score_candidate, model.candidate, tokens, [name])
            ratios[name].append(0.0 if proxy.needs == "profile" else seconds(score) / step)
    return {name: median(found) for name, found in ratios.items()}


def training_seconds(candidate: Candidate, tokens: TokenSet, steps: int = 3) -> float:
    """The median of a few training steps, after one more."""
    trainer = Trainer(candidate, tokens)
    batch_size, context = candidate.training.batch_size, candidate.model.context
    batch = training_batch(tokens.train, seed=candidate.seed, step=0, batch_size=batch_size, context=context)
    inputs, targets = map(torch.from_numpy, batch)
    step = partial(training_step, trainer.model, trainer.optimizer, inputs, targets, candidate.training)
    return median([seconds(step) for _ in range(steps + 1)][1:])


def seconds(work: Callable[[], object]) -> float:
    """Processor time, which other programs on the machine do not lengthen much."""
    began = time.process_time()
    work()
    return time.process_time() - began


def table(scored: Scored, cost: dict[str, float], arguments: argparse.Namespace) -> Table:
    """A line a score."""
    measures = scored.measures(arguments.within)
    headings = [f"{name}, {int(pairs.sum()) // 2:,} pairs" for name, pairs, _ in measures]
    out = Table("score", *headings, "steps", title=f"{scored.name}: Kendall's tau, {len(scored.models)} models")
    for proxy in PROXIES:
        cells = [cell(partial(measure, proxy), pairs, arguments.draws) for _, pairs, measure in measures]
        out.add_row(proxy, *cells, f"{cost[proxy]:.1f}" if proxy in cost else "")
    return out


def cell(measure: Callable[[Pairs], float], pairs: Pairs, draws: int) -> str:
    """A tau and its interval, starred where that leaves out 0."""
    tau = measure(pairs)
    if pairs.sum() / 2 < FEW:
        return f"{tau:+.2f}"
    low, high = interval(measure, pairs, draws)
    return f"{tau:+.2f}{'*' if low > 0 or high < 0 else ' '} {low:+.2f} to {high:+.2f}"


def lines(scored: Scored) -> pd.DataFrame:
    """What each model is, its loss, memory and scores."""
    known = []
    for model in scored.models:
        config = model.candidate.model
        what = {"variant": config.variant, "layers": config.layers, "d_model": config.d_model}
        of = {"table": scored.name, "digest": model.candidate.digest()}
        known.append({**of, **what, "memory_bytes": model.memory, "loss": model.loss})
    return pd.concat([pd.DataFrame(known), scored.scores], axis=1)


if __name__ == "__main__":
    main()
