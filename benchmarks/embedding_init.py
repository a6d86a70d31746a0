"""How large should token embeddings start: at 0.02, as in GPT-2, or at 1/sqrt(d_model), as other matrices?

    python -m benchmarks.embedding_init NOVELS

Vanilla `4@1` and hourglass `2@1 4@4 2@1`, d=64, rotary, context 256, batch 8, learning rate 4e-3, on bytes and on BPE
tokens, with two seeds. A run takes three to five minutes on one core; finished ones are kept in `--runs` and not made
again, so that the command goes on where it was stopped. Each is validated as it goes, so that an early lead and a
lasting one can be told apart.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.novels import TARGETS, Ledger, Novels, Run, Tokenizer, novels_argument, train_missing, vocabulary
from msarch import ModelConfig, TrainingConfig

MODELS = (("vanilla", "4@1"), ("hourglass", "2@1 4@4 2@1"))
STARTS = ("gpt2", "fan_in")
TOKENIZERS: tuple[Tokenizer, ...] = ("bytes", "bpe")


def main() -> None:
    """Train what is missing and print one table."""
    parser = argparse.ArgumentParser(description="Token embeddings that start at 0.02 and at 1/sqrt(d_model).")
    novels_argument(parser)
    parser.add_argument("--tokens", type=int, default=4_000_000, help="training tokens of each run (default 4 million)")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--tokenizer", choices=TOKENIZERS, nargs="+", default=TOKENIZERS, help="train on these alone")
    parser.add_argument("--runs", type=Path, default=Path("results/embedding-init.csv"), help="CSV of finished runs")
    arguments = parser.parse_args()
    console = Console(width=120)
    ledger = Ledger(arguments.runs)
    grid = itertools.product(range(arguments.seeds), arguments.tokenizer, MODELS, STARTS)
    train_missing([run(*each, arguments.tokens) for each in grid], arguments.novels, ledger, console)
    console.print(table(ledger, arguments.novels, arguments.seeds, arguments.tokens))


def run(seed: int, tokenizer: Tokenizer, model: tuple[str, str], start: str, budget: int) -> Run:
    """One training."""
    variant, layers = model
    return Run(
        name=f"{variant} {layers} {start}",
        tokenizer=tokenizer,
        model=ModelConfig(
            variant=variant,
            layers=layers,
            positions="rotary",
            rotary_pairs="halves",  # as when these runs were made
            embedding_init=start,  # type: ignore[arg-type]  # one of its words, from a table
            d_model=64,
            n_heads=2,
            vocab_size=vocabulary(tokenizer),
            context=256,
        ),
        training=TrainingConfig(batch_size=8, tokens=budget, learning_rate=4e-3, validation_tokens=TARGETS),
        seed=seed,
    )


def table(ledger: Ledger, novels: Novels, seeds: int, budget: int) -> Table:
    """A line a model, tokenizer and seed: what 1/sqrt(d_model) changes in nats at each validation."""
    out = Table("tokenizer", "model", "seed", title="loss from 1/sqrt(d_model) less loss from 0.02, nats per token")
    shares = TrainingConfig(batch_size=8).rungs
    for share in shares:
        out.add_column(f"{share * budget:,.0f}", justify="right")
    out.add_column("loss", justify="right")
    for tokenizer, model, seed in itertools.product(TOKENIZERS, MODELS, range(seeds)):
        gpt2, fan_in = (ledger.of(run(seed, tokenizer, model, start, budget)) for start in STARTS)
        if not len(gpt2) or not len(fan_in):
            continue
        gains: list[float] = list(pd.Series(fan_in.loss.values) - gpt2.loss.values)
        cells = [f"{gain:+.3f}" for gain in gains]
        out.add_row(tokenizer, " ".join(model), str(seed), *cells, f"{fan_in.loss.iloc[-1]:.4f}")
    epochs = ", ".join(f"{novels.epochs(tokenizer, budget):.2f} epochs of {tokenizer}" for tokenizer in TOKENIZERS)
    out.caption = f"{budget:,} tokens are {epochs}"
    return out


if __name__ == "__main__":
    main()
