"""The trials of a search again, without it: ``python -m benchmarks.overhead.train_bare RESULTS FIRST EVERY``.

One process trains one candidate after another, as one worker of the search does, and saves nothing but their weights.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from msarch.data.token_set import prepare_tokens
from msarch.training.trainer import Trainer
from search.ledger.reading import read_records


def main() -> None:
    """Train every `EVERY`-th trial from the `FIRST` on."""
    results, first, every = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for record in read_records(results)[first::every]:
        trainer = Trainer(record.candidate, prepare_tokens(record.candidate.corpus))
        while not trainer.finished:
            trainer.advance()
        if trainer.curve[-1].loss != record.loss:
            raise SystemExit(f"trial {record.number} is another training here: the comparison would mean nothing")
        with tempfile.TemporaryDirectory() as folder:
            trainer.save_weights(Path(folder) / "model.safetensors")


if __name__ == "__main__":
    main()
