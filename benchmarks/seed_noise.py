"""How much do losses depend on the seed? Some trials of a table are trained again with further seeds.

    python -m benchmarks.seed_noise results/reference
    python -m benchmarks.seed_noise results/reference --models 20 --seeds 2

The models are spread evenly over the order of their final losses. Each is trained as `msarch reproduce` would, but
with another seed for weights and data. Runs are kept in RESULTS/seed-noise.csv, a line a rung, and not made again.
The table gives one standard deviation between seeds, pooled over models, at each rung, in nats per token, and how far
the order of all complete trials there agrees with that at the end. The text is
found in the cache by the hash of its content, or at its recorded paths from here, or where `--set corpus.train=...`
says.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau

from benchmarks.options import seed_noise
from msarch import UserError, load_results
from search.ledger.records import TrialRecord
from search.results.confirm.plan import reseeded
from search.results.reproduce import open_corpus, train_again, with_corpus

FILE = "seed-noise.csv"
COLUMNS = ["trial", "seed", "rung", "tokens", "loss", "bits_per_byte"]


def main(command: Sequence[str] | None = None) -> None:
    """Train what is missing and print one table."""
    parser = argparse.ArgumentParser(description="Standard deviation of the loss between seeds, by rung.")
    parser.add_argument("results", type=Path, help="a results folder")
    parser.add_argument("--models", type=int, default=20, help="how many of its trials (default 20)")
    parser.add_argument("--seeds", type=int, default=2, help="further seeds of each (default 2)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=PATTERN", help="where the text lies now")
    arguments = parser.parse_args(command)
    torch.set_num_threads(1)
    console = Console(width=110)
    try:
        found = load_results(arguments.results)
        complete = [record for record in found.records if record.state == "complete"]
        chosen = spread(complete, arguments.models)
        runs = train_missing(arguments.results / FILE, chosen, arguments.seeds, arguments.set, console)
    except UserError as error:
        parser.error(str(error))
    console.print(noise_table(chosen, runs, complete))


def spread(records: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """That many of the trials, evenly spaced in the order of their losses, the best and the worst among them."""
    ordered = sorted(records, key=lambda record: (record.curve[-1].loss, record.number))
    if count >= len(ordered):
        return ordered
    return [ordered[round(index * (len(ordered) - 1) / max(1, count - 1))] for index in range(count)]


def train_missing(
    file: Path, chosen: Sequence[TrialRecord], seeds: int, overrides: Sequence[str], console: Console
) -> pd.DataFrame:
    """The runs of `file`, after those that it lacked."""
    runs = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=COLUMNS)
    text = cache(open_corpus)
    for further in range(1, seeds + 1):
        for record in chosen:
            candidate = reseeded(record.candidate, further)
            if ((runs.trial == record.number) & (runs.seed == candidate.seed)).any():
                continue
            console.print(f"training trial {record.number} with seed {candidate.seed}", highlight=False)
            here = with_corpus(candidate, overrides)
            *_, trainer = train_again(here, text(here.corpus), "cpu")
            lines = [
                [record.number, candidate.seed, each.rung, each.tokens, each.loss, each.bits_per_byte]
                for each in trainer.curve
            ]
            added = pd.DataFrame(lines, columns=COLUMNS)
            runs = pd.concat([runs, added], ignore_index=True) if len(runs) else added
            runs.to_csv(file, index=False)
    return runs


def noise_table(chosen: Sequence[TrialRecord], runs: pd.DataFrame, complete: Sequence[TrialRecord]) -> Table:
    """A line a rung; with Kendall's tau of the order there, of all complete trials, with that at the end."""
    out = Table("tokens", "models", "seeds", "standard deviation (nats)", "degrees of freedom", "tau with the end")
    ends = [record.curve[-1].loss for record in complete]
    for rung in sorted(set(runs.rung)):
        groups = [
            [record.curve[rung].loss, *runs[(runs.trial == record.number) & (runs.rung == rung)].loss]
            for record in chosen
        ]
        noise, freedom = seed_noise(groups)
        tokens = int(runs[runs.rung == rung].tokens.iloc[0])
        several = [group for group in groups if len(group) > 1]
        tau = kendalltau([record.curve[rung].loss for record in complete], ends).statistic
        seeds = str(max(map(len, several), default=0))
        out.add_row(f"{tokens:,}", str(len(several)), seeds, f"{noise:.4f}", str(freedom), f"{tau:.2f}")
    return out


if __name__ == "__main__":
    main()
