"""A search in a process of its own, watched line by line, so that a test can do harm to it at a chosen moment."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

from support.command_line import ROOT

from search.ledger.records import TrialRecord
from search.results.reproduce import compare, open_corpus, train_again

RUN = """
import sys
from msarch.errors import UserError
from search.run.run_search import run_search
from search.run.watcher import Silent

class Printer(Silent):
    def training(self, number): print("training", number, flush=True)
    def validated(self, number, point): print("validated", number, point.rung, flush=True)
    def finished(self, record): print("finished", record.number, record.state, flush=True)
    def message(self, text): print("message", text, flush=True)

if __name__ == "__main__":
    try:
        run_search("space.yaml", "out", display=Printer())
    except UserError as error:
        sys.exit(f"error: {error}")
"""
WORDS = ("a", "model", "reads", "every", "token")
_TRAINS = re.compile(r"ray::\w*Trainable")

Started = subprocess.Popen[str]


def prepare(folder: Path, space: str) -> None:
    """Put a space, its text and a program that searches it into a folder."""
    generator = random.Random(0)
    for name, count in (("train", 20_000), ("validation", 2_000)):
        (folder / f"{name}.txt").write_text(" ".join(generator.choice(WORDS) for _ in range(count)))
    (folder / "space.yaml").write_text(space)
    (folder / "run.py").write_text(RUN)


def start(folder: Path) -> Started:
    """Start the search, or continue it."""
    return subprocess.Popen(
        [sys.executable, "run.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MSARCH_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_up_to(process: Started, line: str) -> list[str]:
    """Its output up to the first line that starts so."""
    assert process.stdout is not None
    seen = []
    for text in process.stdout:
        seen.append(text.rstrip())
        if text.startswith(line):
            return seen
    raise AssertionError(f"no '{line}' in {seen}; {process.stderr.read() if process.stderr else ''}")


def trains_under(driver: int) -> int:
    """The process of Ray below this driver that trains a trial."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    below, grown = {driver}, True
    while grown:
        found = below | {int(pid) for pid, parent, _ in rows if int(parent) in below}
        below, grown = found, found != below
    (worker,) = [int(pid) for pid, _, words in rows if int(pid) in below and _TRAINS.match(words)]
    return worker


def is_as_if_undisturbed(record: TrialRecord, folder: Path) -> bool:
    """Whether the same training, in one piece in this process, has the same losses and weights.

    Args:
        folder: of the results; the current directory and cache must be those of the search.
    """
    *_, trainer = train_again(record.candidate, open_corpus(record.candidate.corpus), "cpu")
    weights = folder / "trials" / f"{record.number:04d}" / "model.safetensors"
    return compare(record, trainer, weights).identical
