"""A real search: tiny trials through real Ray, in a process of its own that is killed, refused, stopped and resumed."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command_line import fill
from support.running_search import output_up_to

from msarch.config.candidate import Candidate
from msarch.training.file_names import BEFORE_DECAY
from search.ledger.reading import read_records
from search.ledger.records import TrialRecord

LARGER = """
corpus: {train: "text/train.txt", validation: "text/validation.txt", tokenizer: bytes}
model:
  context: 32
  d_model: {min: 16, max: 48, step: 16}
  d_head: 16
  variant:
    vanilla: {layers: "1..3@1"}
    top_down: {layers: "1..2@4 1..2@1"}
training: {tokens: 20k, batch_size: 8, learning_rate: {min: 1e-3, max: 1e-1, log: true}, validation_tokens: 500}
limits: {memory: 3 MiB}
objectives: [perplexity, memory]
search: {sampler: tpe, pruner: pareto, trials: 10, seed: 0, startup: 4}
"""

RUN = """
import sys
from msarch.errors import UserError
from search.run.run_search import run_search

class Printer:
    def phase(self, text): print("phase", text, flush=True)
    def training(self, number): print("training", number, flush=True)
    def started(self, number, candidate, profile): print("started", number, flush=True)
    def validated(self, number, point):
        print("validated", number, point.rung, flush=True)
        if f"validated {number} {point.rung}" == hold:
            sys.stdin.readline()
    def finished(self, record): print("finished", record.number, record.state, flush=True)
    def message(self, text): print("message", text, flush=True)

if __name__ == "__main__":
    options, hold = eval(sys.argv[1])
    try:
        run_search("space.yaml", "out", display=Printer(), concurrent=1, **options)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
"""

WORDS = {"phase", "started", "training", "validated", "finished", "message"}
"""How lines of `RUN` begin."""
Started = subprocess.Popen[str]


def _place(folder: Path) -> Path:
    (folder / "space.yaml").write_text(LARGER)
    (folder / "run.py").write_text(RUN)
    words = ["the", "model", "reads", "every", "token", "at", "a", "fine", "scale", "and", "a", "coarse", "one"]
    generator = random.Random(0)
    (folder / "text").mkdir()
    for name, count in (("train", 20_000), ("validation", 2_000)):
        (folder / "text" / f"{name}.txt").write_text(" ".join(generator.choice(words) for _ in range(count)))
    return folder


def _start(place: Path, hold: str = "", **options: object) -> Started:
    """A search; having printed `hold`, it waits until its input is closed, so that a test has time to do harm."""
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root, "MSARCH_CACHE": str(place / "cache")}
    return subprocess.Popen(
        [sys.executable, "run.py", repr((options, hold))],
        cwd=place,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: Started) -> tuple[int, str, str]:
    out, err = process.communicate()
    return process.returncode, out, err


def _comparable(record: TrialRecord) -> tuple[object, ...]:
    return record.number, record.state, record.candidate.digest(), tuple(point.loss for point in record.curve)


@pytest.fixture
def whole(small_search: Path) -> list[TrialRecord]:
    """What a search that nobody disturbs ends with."""
    return read_records(small_search / "results" / "space")


def test_an_undisturbed_search_leaves_a_whole_folder(small_search: Path, whole: list[TrialRecord]) -> None:
    folder = small_search / "results" / "space"
    files = {path.name for path in folder.iterdir() if path.name != ".lock"}
    assert files == {
        "space.yaml",
        "study.journal",
        "study.journal.sums",
        "tokenizer.json",
        "trials.csv",
        "curves.csv",
        "pareto.csv",
        "report.html",
        "environment.json",
        "ray.log",
        "trials",
    }
    complete = [record for record in whole if record.state == "complete"]
    assert sum(record.state in ("complete", "pruned", "failed") for record in whole) == 6
    for record in complete:
        trial = folder / "trials" / f"{record.number:04d}"
        files = {path.name for path in trial.iterdir() if path.name != BEFORE_DECAY}
        assert files == {"config.yaml", "metrics.csv", "model.safetensors", "log.txt"}
        losses = [float(row["loss"]) for row in csv.DictReader((trial / "metrics.csv").open())]
        assert losses == [point.loss for point in record.curve] and len(losses) == 6
    assert str(small_search.parent) not in (folder / "study.journal").read_text() + (folder / "trials.csv").read_text()
    assert isinstance(complete[0].candidate, Candidate)


def test_killed_interrupted_and_resumed_it_ends_like_the_undisturbed_one(
    tmp_path: Path, whole: list[TrialRecord]
) -> None:
    """SIGKILL in the middle of a trial, a second search meanwhile, and Ctrl-C; at last, one trial more is asked for."""
    place = fill(tmp_path)
    (place / "run.py").write_text(RUN)
    process = _start(place, hold="validated 1 2")
    output_up_to(process, "validated 1 2")
    process.kill()
    process.communicate()
    before = {record.number: record for record in read_records(place / "out")}
    assert before[0].state in ("complete", "infeasible", "failed") and before[1].state == "running"

    process = _start(place, hold="validated 3 0")
    output_up_to(process, "validated 3 0")
    code, _, err = _end(_start(place))
    assert code == 1 and "another search is running in out" in err and len(err.strip().splitlines()) == 1
    process.send_signal(signal.SIGINT)
    code, out, err = _end(process)
    assert (code, err) == (130, "") and "continue with: msarch search space.yaml --out out --concurrent 1" in out

    code, out, err = _end(_start(place, trials=7))
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()} <= WORDS
    records = read_records(place / "out")
    assert [_comparable(record) for record in records[: len(whole)]] == [_comparable(record) for record in whole]
    assert not [record for record in records if record.state == "running"]
    assert sum(record.state in ("complete", "pruned", "failed") for record in records) == 7
    assert not list(place.glob("out/trials/*/checkpoint"))


KILLS = 20


@pytest.mark.faults("the driver is killed at a random moment", times=KILLS, end="as undisturbed, bit for bit")
def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    """All that was finished stays, nothing is trained twice, and the end is that of an undisturbed search."""
    place, generator = _place(tmp_path), random.Random(KILLS)
    _end(_start(place))
    (place / "out").rename(place / "whole")
    finished: dict[int, TrialRecord] = {}
    kills, scratch = 0, set[Path]()
    while kills < KILLS:
        process = _start(place, trials=10)
        if _run_to_a_random_moment(process, place / "out", generator):
            process.kill()
            kills += 1
            scratch |= {Path(note.read_text()) for note in (place / "out").glob(".scratch")}
        else:
            (place / "out").rename(place / f"done{kills}")
            finished = {}
        process.communicate()
        if (place / "out" / "study.journal").exists():
            finished = _only_grown(place, finished)
    assert _end(_start(place))[0] == 0
    records = read_records(place / "out")
    assert [_comparable(r) for r in records] == [_comparable(r) for r in read_records(place / "whole")]
    assert scratch and not [folder for folder in scratch if folder.exists()]
    # Nor will one be made again: Ray's agents, which name it and outlive a killed search by a minute, were ended.
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [folder for folder in scratch if f"{folder}/" in running]


def _run_to_a_random_moment(process: Started, out: Path, generator: random.Random) -> bool:
    """Waits for a file of the start or for some lines of output; False where the search has ended before."""
    if generator.random() < 0.3:
        file = out / generator.choice([".lock", "space.yaml", "study.journal", "ray.log", "trials"])
        while process.poll() is None and not file.exists():
            time.sleep(0.01)
    else:
        assert process.stdout is not None
        for _ in range(generator.randint(1, 25)):
            if not process.stdout.readline():
                break
    time.sleep(generator.uniform(0, 0.2))  # between two lines, too, something is being written
    return process.poll() is None


def _only_grown(place: Path, finished: dict[int, TrialRecord]) -> dict[int, TrialRecord]:
    from msarch.errors import UserError

    try:
        records = {record.number: record for record in read_records(place / "out")}
    except UserError:  # killed before the study was made
        return finished
    for number, record in finished.items():
        assert records[number] == record
    return {number: record for number, record in records.items() if record.state != "running"}


@pytest.mark.faults("the disk is full", end="one line, and with more room the same command ends the search")
def test_a_full_disk_is_one_line_and_loses_nothing_finished(tmp_path: Path) -> None:
    with _disk(_place(tmp_path) / "out", size="1800k") as out:
        code, _, err = _end(_start(tmp_path))
        finished = _refused(code, err, out)
        subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)
        _ends_with(finished, tmp_path)


@pytest.mark.faults("the disk is read-only after a kill", end="one line, and once it can be written the search ends")
def test_a_read_only_disk_is_one_line_and_loses_nothing_finished(tmp_path: Path) -> None:
    with _disk(_place(tmp_path) / "out", size="64m") as out:
        process = _start(tmp_path)
        output_up_to(process, "validated 1 2")
        process.kill()
        process.communicate()
        while subprocess.run(["mount", "-o", "remount,ro", str(out)], check=False, capture_output=True).returncode:
            time.sleep(0.1)  # its processes still hold files
        code, _, err = _end(_start(tmp_path))
        finished = _refused(code, err, out)
        subprocess.run(["mount", "-o", "remount,rw", str(out)], check=True)
        _ends_with(finished, tmp_path)


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    """A small file system at that folder."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=False).returncode:
        pytest.skip("mounting a file system needs more rights")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _refused(code: int, err: str, out: Path) -> dict[int, TrialRecord]:
    """A search ended in one line; the trials that had ended by then, of which there are some."""
    assert code == 1 and err.startswith("error: ") and len(err.strip().splitlines()) == 1, err
    assert "write" in err
    finished = {record.number: record for record in read_records(out) if record.state != "running"}
    assert finished
    return finished


def _ends_with(finished: dict[int, TrialRecord], place: Path) -> None:
    """The same call ends the search, and keeps those trials."""
    assert _end(_start(place))[0] == 0
    records = {record.number: record for record in read_records(place / "out")}
    assert {number: records[number] for number in finished} == finished
    assert sum(record.state in ("complete", "pruned", "failed") for record in records.values()) == 10
