"""The trials of a search again, without it: `train_bare RESULTS FIRST EVERY BEGAN`.

One process trains one candidate after another, as one worker of the search does, and saves nothing but their weights.
It prints when its first step began, and when it ended.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from msarch.data.token_set import prepare_tokens
from msarch.training.trainer import Trainer
from search.ledger.reading import read_records


def main() -> None:
    """Train every `EVERY`-th trial from the `FIRST` on."""
    results, first, every = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps({"event": "begin", "wall": float(sys.argv[4]), "cpu": 0.0}))
    for count, record in enumerate(read_records(results)[first::every]):
        trainer = Trainer(record.candidate, prepare_tokens(record.candidate.corpus))
        if count == 0:
            note("first step")
        while not trainer.finished:
            trainer.advance()
        if trainer.curve[-1].loss != record.loss:
            raise SystemExit(f"trial {record.number} is another training here: the comparison would mean nothing")
        with tempfile.TemporaryDirectory() as folder:
            trainer.save_weights(Path(folder) / "model.safetensors")
    note("trained")


def note(event: str) -> None:
    """Print an event with the seconds so far."""
    print(json.dumps({"event": event, "wall": time.time(), "cpu": time.process_time()}))


if __name__ == "__main__":
    main()
