"""`msarch train` as a process: on from a trial of a search, killed and resumed, and what a mistake says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from support.command_line import ROOT, msarch
from support.commands import Here
from support.full_disk import files_stay_small

from msarch.training.checkpoint import read_tensors
from msarch.training.file_names import BEFORE_DECAY, FILE
from search.ledger.folder import trial_folder
from search.results.reproduce import open_corpus
from search.results.results import load_results
from search.train.record import WEIGHTS, read_record


@pytest.fixture(scope="module", autouse=True)
def _model_file(place: Path) -> None:
    """A model's file beside the search, whose trials can be trained on."""
    model = {"variant": "vanilla", "layers": "2@1", "d_model": 32, "n_heads": 2, "vocab_size": 256, "context": 32}
    config = {
        "model": model,
        "training": {"tokens": "60k", "batch_size": 4},
        "corpus": {"train": "text.txt", "tokenizer": "bytes"},
    }
    (place / "model.yaml").write_text(yaml.safe_dump(config))


def weights(folder: Path) -> torch.Tensor:
    tensors, _ = read_tensors(folder / WEIGHTS)
    return torch.cat([tensor.flatten() for _, tensor in sorted(tensors.items())])


def test_the_trials_on_the_front_keep_what_it_takes(place: Path) -> None:
    results = load_results(place / "results" / "space")
    kept = [int(path.parent.name) for path in (place / "results" / "space").glob(f"trials/*/{BEFORE_DECAY}")]
    assert sorted(kept) == sorted(record.number for record in results.front)


def test_a_trial_is_trained_on_and_equals_an_undisturbed_training(here: Here, place: Path) -> None:
    done = here("train", "results/space", "--set", "training.tokens=20k", "--threads", 1)
    assert done.returncode == 0, done.stderr
    best = load_results(place / "results" / "space").trial("best")
    folder = place / "models" / f"space-{best.number:04d}"
    record = read_record(folder)
    assert f"trains on from results/space trial {best.number}, step 26 of 79" in done.stderr
    assert (record.state, record.begun_at, record.curve[-1].tokens) == ("complete", 26, 79 * 256)
    assert "test: loss" in done.stdout and "tokens/s" in done.stderr
    validated, tested = (line for line in done.stdout.splitlines() if ": loss" in line)
    tokens = open_corpus(best.candidate.corpus)
    assert tokens.test is not None and tested.endswith(f", over {len(tokens.test) - 1:,} tokens")
    assert validated.endswith(", over 300 tokens")
    config = folder.relative_to(place) / "config.yaml"
    done = here("train", config, "--to", "undisturbed", "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert torch.equal(weights(folder), weights(place / "undisturbed"))


def test_the_weights_of_a_trial_are_those_of_its_decay_trained_again(here: Here, place: Path) -> None:
    best = load_results(place / "results" / "space").trial("best")
    done = here("train", f"results/space:{best.number}", "--threads", 1, "--to", "again")
    assert done.returncode == 0, done.stderr
    assert torch.equal(weights(place / "again"), weights(trial_folder(place / "results" / "space", best.number)))


def test_ctrl_c_leaves_a_checkpoint_and_the_printed_command_continues(here: Here, place: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "msarch",
        "train",
        "model.yaml",
        "--threads",
        "1",
        "--tensorboard",
        "--to",
        "stopped",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MSARCH_CACHE": str(place / ".cache")}
    process = subprocess.Popen(arguments, cwd=place, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "validation loss" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "continue with: msarch train model.yaml --tensorboard --to stopped" in process.stderr.read()
    assert process.wait() == 130 and (place / "stopped" / FILE).is_file()
    done = here("train", "model.yaml", "--to", "stopped")
    assert done.returncode == 0 and "continues after step" in done.stderr
    here("train", "model.yaml", "--threads", 1, "--to", "whole")
    assert torch.equal(weights(place / "stopped"), weights(place / "whole"))


def test_a_full_disk_is_one_line_and_the_same_command_continues(here: Here, place: Path) -> None:
    with files_stay_small():
        done = here("train", "model.yaml", "--threads", 1, "--to", "full")
    assert (done.returncode, done.stderr) == (2, f"error: {Path('full') / FILE}: File too large\n")
    assert here("train", "model.yaml", "--to", "full", "--dry-run").stdout.startswith(
        "continues the training in full\n"
    )
    other = here("train", "model.yaml", "--set", "training.learning_rate=9e-3", "--to", "full", "--dry-run")
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr.startswith("error: --to: full holds another training: training.learning_rate is 0.003 there")
    assert here("train", "model.yaml", "--threads", 1, "--to", "full").returncode == 0


def test_threads_of_a_training_that_is_there_stay_and_its_user_is_told(here: Here) -> None:
    here("train", "model.yaml", "--threads", 1, "--to", "threads")
    assert here("train", "model.yaml", "--to", "threads", "--threads", 1).stderr == ""
    assert here("train", "model.yaml", "--to", "threads", "--threads", 2).stderr == (
        "--threads 2 has no effect: the training in threads was begun with 1, and another number gives other bits\n"
    )


@pytest.mark.faults("a training is killed", times=6, end="the bits of an undisturbed one")
def test_killed_again_and_again_it_ends_with_the_bits_of_an_undisturbed_training(place: Path) -> None:
    arguments = [sys.executable, "-m", "msarch", "train", "model.yaml", "--threads", "1", "--to", "killed"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MSARCH_CACHE": str(place / ".cache")}
    said = ["validation loss", *["continues after step"] * 5]
    for sentence, seconds in zip(said, (0, 0, 0.02, 0.04, 0.06, 0.08), strict=True):
        process = subprocess.Popen(arguments, cwd=place, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        while sentence not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(seconds)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert read_record(place / "killed").state == "training" and (place / "killed" / FILE).is_file()
    done = msarch("train", "model.yaml", "--threads", 1, "--to", "killed", cwd=place)
    assert done.returncode == 0, done.stderr
    done = msarch("train", "model.yaml", "--threads", 1, "--to", "unkilled", cwd=place)
    assert torch.equal(weights(place / "killed"), weights(place / "unkilled"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.yaml"], "gone.yaml: cannot be read"),
        (["model.yaml", "--trial", "3"], "--trial: model.yaml is one model, not a results folder"),
        (["model.yaml", "--set", "training.tokens"], "--set: must be KEY=VALUE"),
        (["model.yaml", "--set", "model.vocab_size=512"], "model.vocab_size: the model has a vocabulary of 512"),
        (["results/space", "--set", "corpus.tokenizer=bytes"], "--set: unknown key 'corpus.tokenizer'"),
        (["model.yaml", "--to", "model.yaml"], "model.yaml is not a folder: a file has that name; choose another one"),
        (["model.yaml", "--to", "model.yaml/x"], "model.yaml/x is not a folder: a file has that name"),
        (["model.yaml", "--to", "results"], "--to: results holds other files (space); name a new folder"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, here: Here) -> None:
    done = here("train", *arguments)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {message}")


def test_only_a_training_that_begins_is_said_to_train_from_the_beginning(here: Here) -> None:
    command = ("train", "results/space", "--set", "model.dropout=0.1", "--to", "other")
    said = "trains from the beginning: more than the budget was changed"
    planned, begun = here(*command, "--dry-run"), here(*command)
    assert planned.stdout.startswith(f"{said}\n") and begun.stderr.startswith(f"{said}\n")
    planned, again = here(*command, "--dry-run"), here(*command)
    assert planned.stdout.startswith("the training in other has ended; nothing is left to train\n")
    assert again.returncode == 0 and again.stdout == begun.stdout and again.stderr == ""


def test_a_test_text_without_a_token_to_predict_is_refused_before_training(here: Here, place: Path) -> None:
    (place / "one.txt").write_text("x")
    (place / "other.txt").write_text("a text that nothing was trained on, to validate with. " * 200)
    named = ["--set", "corpus.validation=other.txt", "--set", "corpus.test=one.txt"]
    done = here("train", "model.yaml", *named, "--to", "untested")
    assert done.returncode == 2 and not (place / "untested").exists()
    assert "corpus.test: the test text is 1 token long, and a loss needs 2" in done.stderr.splitlines()[-1]


def test_a_dry_run_shows_what_would_be_trained(here: Here) -> None:
    done = here("train", "results/space", "--set", "training.tokens=20k", "--to", "new", "--dry-run")
    assert done.stdout.startswith("on from results/space trial") and "tokens: 20000" in done.stdout
    assert done.stderr == ""
    done = here("train", "results/space", "--set", "training.tokens=20M", "--to", "new", "--dry-run")
    assert done.stderr.startswith("note: each validation takes 300 tokens") and "=0 takes 0.8 %" in done.stderr
