"""Is the vanilla model a fair baseline? The recipe on which small trainers are usually tried first.

    python -m benchmarks.tinyshakespeare input.txt

`input.txt` is the 1.1 MB of Shakespeare from char-rnn. Bytes, first 90 % training and the rest validation; 4 layers,
4 heads, d=128, context 64, batch 12, no dropout, 2,000 steps. nanoGPT reports 1.88 nats for it on a CPU; the bar
here is 1.89. About a minute and a half on one core. Exit status 1 where the bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.training.trainer import Trainer

BAR = 1.89
CONTEXT, BATCH, STEPS = 64, 12, 2_000


def main() -> int:
    """Train and print one table."""
    parser = argparse.ArgumentParser(description="Vanilla model on tiny Shakespeare, validation loss in nats a byte.")
    parser.add_argument("text", type=Path, help="tiny Shakespeare, input.txt")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.text.is_file():
        parser.error(f"{arguments.text} is not there; give the path of tiny Shakespeare's input.txt")
    table = Table("seed", "steps", "validation loss (nats)", "bits per byte", "seconds")
    losses = []
    for seed in range(arguments.seeds):
        trainer = train(split(arguments.text.read_bytes()), arguments.learning_rate, seed)
        found = trainer.evaluate("validation", sys.maxsize)
        losses.append(found.loss)
        seconds = f"{trainer.curve[-1].seconds:.0f}"
        table.add_row(str(seed), str(trainer.step), f"{found.loss:.4f}", f"{found.bits_per_byte:.4f}", seconds)
    console = Console()
    console.print(table)
    console.print(f"bar: {BAR} nats, the whole validation split; learning rate {arguments.learning_rate:g}")
    return 0 if max(losses) <= BAR else 1


def split(text: bytes) -> TokenSet:
    """The first 90 % of the bytes to train on, the rest to validate on."""
    cut = len(text) * 9 // 10
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("train", text[:cut]), ("validation", text[cut:])):
            (Path(folder) / f"{name}.txt").write_bytes(part)
        corpus = CorpusConfig(
            source="files",
            train=(f"{folder}/train.txt",),
            validation=(f"{folder}/validation.txt",),
            tokenizer=TokenizerConfig(kind="bytes"),
        )
        return prepare_tokens(corpus)


def train(tokens: TokenSet, learning_rate: float, seed: int) -> Trainer:
    """The recipe, to its end."""
    candidate = Candidate(
        model=ModelConfig(
            variant="vanilla", layers="4@1", d_model=128, n_heads=4, vocab_size=tokens.vocab_size, context=CONTEXT
        ),
        training=TrainingConfig(
            batch_size=BATCH, tokens=STEPS * BATCH * CONTEXT, learning_rate=learning_rate, betas=(0.9, 0.99)
        ),
        seed=seed,
    )
    trainer = Trainer(candidate, tokens)
    while not trainer.finished:
        trainer.advance()
    return trainer


if __name__ == "__main__":
    sys.exit(main())
