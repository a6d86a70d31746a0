"""What the benchmarks that train on novels share: their tokens, and runs kept in a CSV and not made again."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from rich.console import Console

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.training.trainer import NonFiniteLossError, Trainer
from msarch.training.validation import Validation

TARGETS = 100_000
"""Validation tokens of each rung."""

Tokenizer = Literal["bytes", "bpe"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training.

    Attributes:
        name: the model, as tables name it.
        tokenizer: "bytes", or "bpe" of 2,048.
        model: its configuration; whatever vocabulary it names, that of the tokenizer is used.
    """

    name: str
    tokenizer: Tokenizer
    model: ModelConfig
    training: TrainingConfig
    seed: int

    def candidate(self) -> Candidate:
        """As it is trained and recorded."""
        return Candidate(
            model=self.model,
            training=self.training,
            corpus=CorpusConfig(tokenizer=tokenizer_config(self.tokenizer)),
            seed=self.seed,
        )


def tokenizer_config(tokenizer: Tokenizer) -> TokenizerConfig:
    """Bytes, or BPE of 2,048 trained on the training text."""
    return TokenizerConfig(kind=tokenizer, vocab_size=2048 if tokenizer == "bpe" else 256)


def vocabulary(tokenizer: Tokenizer) -> int:
    """How many tokens it makes."""
    return 2048 if tokenizer == "bpe" else 256


class Novels:
    """A folder with train/*.txt and validation/*.txt, and its tokens, read once for each tokenizer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tokens: dict[str, TokenSet] = {}

    def tokens(self, tokenizer: Tokenizer) -> TokenSet:
        """In bytes, or in tokens of a BPE trained on the training part."""
        if tokenizer not in self._tokens:
            corpus = CorpusConfig(
                source="files",
                train=(str(self.folder / "train/*.txt"),),
                validation=(str(self.folder / "validation/*.txt"),),
                tokenizer=tokenizer_config(tokenizer),
            )
            self._tokens[tokenizer] = prepare_tokens(corpus)
        return self._tokens[tokenizer]

    def epochs(self, tokenizer: Tokenizer, tokens: float) -> float:
        """How often that many tokens read the training text."""
        return tokens / len(self.tokens(tokenizer).train)


class Ledger:
    """Finished runs in a CSV: a line a validation, those of a run written together when it ends.

    A run is known by the digest of its candidate, so a table may grow while models get new options.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["digest"])

    def __contains__(self, run: Run) -> bool:
        return run.candidate().digest() in set(self.table.digest)

    def add(self, run: Run, curve: list[Validation], seconds: float) -> None:
        """Write a finished run down."""
        rows = pd.DataFrame([self._row(run, point, seconds) for point in curve])
        self.table = pd.concat([self.table, rows], ignore_index=True) if len(self.table) else rows
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.table.to_csv(self.file, index=False)

    def of(self, run: Run) -> pd.DataFrame:
        """The lines of a run, none where it is not finished."""
        return self.table[self.table.digest == run.candidate().digest()]

    def _row(self, run: Run, point: Validation, seconds: float) -> dict[str, Any]:
        return {
            "model": run.name,
            "tokenizer": run.tokenizer,
            "seed": run.seed,
            "budget": run.training.tokens,
            "tokens": point.tokens,
            "loss": round(point.loss, 5),
            "bits_per_byte": round(point.bits_per_byte, 5),
            "seconds": round(seconds),
            "digest": run.candidate().digest(),
        }


def train_missing(runs: list[Run], novels: Novels, ledger: Ledger, console: Console) -> None:
    """Each run that the ledger does not hold, one after another; one that diverges counts as an infinite loss."""
    for run in runs:
        if run in ledger:
            continue
        console.print(f"training {run.name}, {run.tokenizer}, seed {run.seed}", highlight=False)
        began = time.perf_counter()
        trainer = Trainer(run.candidate(), novels.tokens(run.tokenizer))
        try:
            while not trainer.finished:
                trainer.advance()
        except NonFiniteLossError as diverged:
            trainer.curve.append(_diverged(diverged.step, trainer))
        ledger.add(run, trainer.curve, time.perf_counter() - began)


def _diverged(step: int, trainer: Trainer) -> Validation:
    infinite, tokens = float("inf"), step * trainer.tokens_per_step
    return Validation(rung=-1, step=step, tokens=tokens, loss=infinite, bits_per_byte=infinite, seconds=0.0)


def novels_argument(parser: argparse.ArgumentParser) -> None:
    """The folder, as the first argument."""
    parser.add_argument("novels", type=_folder, help="a folder with train/*.txt and validation/*.txt")


def _folder(text: str) -> Novels:
    folder = Path(text)
    if not list((folder / "train").glob("*.txt")):
        raise argparse.ArgumentTypeError(
            f"{folder}/train has no .txt files; give a folder with train/*.txt and validation/*.txt"
        )
    return Novels(folder)
