"""Do multi-scale models beat vanilla ones with as much memory, as the papers report, at a size that a laptop trains?

    python -m benchmarks.published_orders NOVELS --order top_down
    python -m benchmarks.published_orders NOVELS --order hourglass --positions rotary --tokenizer bytes

`NOVELS` holds train/*.txt and validation/*.txt: long English prose of some 27 MB. Every model reads the same tokens in
the same order and is judged on the same validation tokens; a seed changes its initialisation and the order. A run
takes about ten minutes on one core. Finished runs are kept in `--runs` and not repeated, so the command continues
where it was stopped. Several learning rates may be given: each model is then shown at its own best.

top_down    `4@16 4@4 2@1` against vanilla `4@1` (Subramanian et al. 2020, arXiv 2005.00581: better
            perplexity at less memory)
hourglass   `2@1 4@4 2@1` against vanilla `6@1` (Nawrot et al. 2021, arXiv 2110.13711, table 1: 1.143 bits per
            character in 4.41 GB against 1.182 in 4.53; on bytes, with relative attention)
"""

from __future__ import annotations

import argparse
import itertools
import platform
import time
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig, profile_training_step
from msarch.config import MODEL_CHOICES
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.training.trainer import Trainer
from msarch.units import format_bytes

ORDERS: dict[str, tuple[tuple[str, str], ...]] = {
    "top_down": (("vanilla", "4@1"), ("top_down", "4@16 4@4 2@1")),
    "hourglass": (("vanilla", "6@1"), ("hourglass", "2@1 4@4 2@1")),
}
TARGETS = 200_000
COLUMNS = [
    "variant",
    "layers",
    "positions",
    "learning_rate",
    "seed",
    "loss",
    "perplexity",
    "bits_per_byte",
    "tokens_per_second",
]


@dataclass(frozen=True)
class Run:
    """One training, as the table of runs names it."""

    variant: str
    layers: str
    positions: Literal["learned", "rotary", "alibi", "none"]
    learning_rate: float
    seed: int


def main() -> None:
    """Train what is missing and print one table."""
    parser = argparse.ArgumentParser(description="Published orders of multi-scale and vanilla models, in small.")
    parser.add_argument("novels", type=Path, help="a folder with train/*.txt and validation/*.txt")
    parser.add_argument("--order", choices=sorted(ORDERS), required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=6_000_000, help="training tokens of each run (default 6 million)")
    parser.add_argument("--learning-rate", type=float, nargs="+", default=[2e-3])
    parser.add_argument("--positions", default="learned", choices=MODEL_CHOICES["positions"])
    parser.add_argument("--tokenizer", choices=("bpe", "bytes"), default="bpe", help="BPE of 2,048 (default) or bytes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, help="CSV of finished runs (default results/ORDER-TOKENIZER-TOKENS.csv)")
    arguments = parser.parse_args()
    if not list((arguments.novels / "train").glob("*.txt")):
        parser.error(f"{arguments.novels}/train has no .txt files; give a folder with train/*.txt and validation/*.txt")
    file = arguments.runs or Path("results") / f"{arguments.order}-{arguments.tokenizer}-{arguments.tokens}.csv"
    console = Console(width=130)
    tokens = read(arguments.novels, arguments.tokenizer)
    done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=COLUMNS)
    asked = [
        Run(*model, arguments.positions, rate, seed)
        for seed, rate, model in itertools.product(
            range(arguments.seeds), arguments.learning_rate, ORDERS[arguments.order]
        )
    ]
    known = set(done[COLUMNS[:5]].itertuples(index=False, name=None))
    for run in asked:
        if astuple(run) in known:
            continue
        console.print("training", *astuple(run))
        row = train(run, tokens, arguments.tokens, arguments.threads)
        done = pd.concat([done, row], ignore_index=True) if len(done) else row
        file.parent.mkdir(parents=True, exist_ok=True)
        done.to_csv(file, index=False)
    console.print(table(done, asked, tokens, arguments.tokens))
    console.print(
        f"{arguments.tokens:,} tokens each, d=96, context 256, batch 8, {arguments.tokenizer}; loss on {TARGETS:,} "
        f"validation tokens; {platform.machine()}, {arguments.threads} thread(s), torch {torch.__version__}"
    )


def read(novels: Path, tokenizer: Literal["bpe", "bytes"]) -> TokenSet:
    """The novels in bytes, or in tokens of a BPE trained on their training part."""
    return prepare_tokens(
        CorpusConfig(
            source="files",
            train=(str(novels / "train/*.txt"),),
            validation=(str(novels / "validation/*.txt"),),
            tokenizer=TokenizerConfig(kind=tokenizer, vocab_size=2048 if tokenizer == "bpe" else 256),
        )
    )


def candidate(run: Run, vocab_size: int, budget: int) -> Candidate:
    """The configuration of one run."""
    return Candidate(
        model=ModelConfig(
            variant=run.variant,
            layers=run.layers,
            positions=run.positions,
            d_model=96,
            n_heads=3,
            vocab_size=vocab_size,
            context=256,
        ),
        training=TrainingConfig(batch_size=8, tokens=budget, learning_rate=run.learning_rate),
        seed=run.seed,
    )


def train(run: Run, tokens: TokenSet, budget: int, threads: int) -> pd.DataFrame:
    """One run to its end, as a row."""
    trainer = Trainer(candidate(run, tokens.vocab_size, budget), tokens, threads=threads)
    began = time.perf_counter()
    while not trainer.finished:
        trainer.advance()
    seconds = time.perf_counter() - began
    found = trainer.evaluate("validation", TARGETS)
    speed = trainer.step * trainer.tokens_per_step / seconds
    figures = [found.loss, found.perplexity, found.bits_per_byte, speed]
    return pd.DataFrame([[*astuple(run), *figures]], columns=COLUMNS)


def table(done: pd.DataFrame, asked: list[Run], tokens: TokenSet, budget: int) -> Table:
    """A line a model and learning rate: mean and range of perplexity over the seeds, memory and speed."""
    out = Table(
        "model", "positions", "rate", "seeds", "perplexity", "lowest, highest", "bits/byte", "fused", "unfused", "block"
    )
    out.add_column("tokens/s", justify="right")
    out.title = "perplexity: mean over seeds; memory: fused, unfused, fused with checkpointing: block"
    for model in dict.fromkeys(replace(run, seed=0) for run in asked):
        runs = done[(done[COLUMNS[:4]] == [*astuple(model)[:4]]).all(axis=1)]
        out.add_row(
            f"{model.variant} {model.layers}",
            model.positions,
            f"{model.learning_rate:g}",
            str(len(runs)),
            f"{runs.perplexity.mean():.2f}",
            f"{runs.perplexity.min():.2f}, {runs.perplexity.max():.2f}",
            f"{runs.bits_per_byte.mean():.4f}",
            *memory(candidate(model, tokens.vocab_size, budget)),
            f"{runs.tokens_per_second.median():,.0f}",
        )
    return out


def memory(one: Candidate) -> list[str]:
    """Predicted peaks: fused, unfused, fused with block checkpointing."""
    training = one.training
    ways = (training, replace(training, attention="unfused"), replace(training, checkpointing="block"))
    return [format_bytes(profile_training_step(one.model, each).peak_bytes) for each in ways]


if __name__ == "__main__":
    main()
