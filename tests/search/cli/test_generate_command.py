"""`msarch generate`, in the folder of a trained model."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.commands import assert_safe, run_command
from support.small_models import small

from msarch.config import TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.data.tokenizer import Tokenizer, byte_tokenizer, train_bpe
from msarch.generation import Sampling, generate_tokens
from msarch.models.build import build_model
from msarch.models.language_model import LanguageModel
from msarch.training.checkpoint import write_tensors
from search.cli.generate import write_text
from search.ledger.folder import CONFIG
from search.show.terminal.console import printable
from search.train.record import TOKENIZER, WEIGHTS, ModelRecord

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: run_command(["generate", *arguments], monkeypatch, capfd)


def model_folder(folder: Path, tokenizer: Tokenizer, **record: str) -> LanguageModel:
    """A folder as `msarch train` leaves it, but for what it says about the training."""
    torch.manual_seed(0)
    config = small("top_down", "1@4 1@1", vocab_size=tokenizer.vocab_size)
    kind = TokenizerConfig(kind="bytes", vocab_size=256) if tokenizer.is_bytes else TokenizerConfig(vocab_size=300)
    candidate = Candidate(
        model=config, training=TrainingConfig(batch_size=2), corpus=CorpusConfig(train=("a.txt",), tokenizer=kind)
    )
    model = build_model(config).eval()
    folder.mkdir()
    (folder / CONFIG).write_text(yaml.safe_dump(candidate.to_dict()))
    (folder / "environment.json").write_text("{}")
    tokenizer.save(folder / TOKENIZER)
    write_tensors(folder / WEIGHTS, dict(model.state_dict()), {})
    values: dict[str, Any] = {"state": "complete", "device": "cpu", **record}
    ModelRecord(candidate="0", threads=1, compiled=False, **values).write(folder)
    return model


def expected(model: LanguageModel, tokenizer: Tokenizer, prompt: str, count: int, **sampling: Any) -> str:
    tokens = list(generate_tokens(model, tokenizer.encode(prompt), count, Sampling(**sampling), seed=3))
    end = tokens.index(tokenizer.separator) if tokenizer.separator in tokens else count
    return prompt + tokenizer.decode(tokens[:end])


def test_it_writes_what_the_model_writes_after_the_prompt(run: Run, tmp_path: Path) -> None:
    tokenizer = train_bpe(iter(["the naïve café — one, two, three " * 20]), 270)
    model = model_folder(tmp_path / "m", tokenizer)
    arguments = ("--prompt", "the café", "--tokens", "60", "--seed", "3", "--device", "cpu")
    for options, sampling in (
        ((), {}),
        (("--temperature", "0"), {"temperature": 0}),
        (("--top-k", "5", "--top-p", "0.5"), {"top_k": 5, "top_p": 0.5}),
    ):
        status, text, errors = run(str(tmp_path / "m"), *arguments, *options)
        assert (status, errors) == (0, "")
        assert text == printable(expected(model, tokenizer, "the café", 60, **sampling)) + "\n"


def test_the_prompt_may_come_from_standard_input_and_may_be_empty(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = byte_tokenizer()
    model_folder(tmp_path / "m", tokenizer)
    given = run(str(tmp_path / "m"), "--prompt", "one two\n", "--tokens", "9")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one two\n")))
    assert run(str(tmp_path / "m"), "--prompt", "-", "--tokens", "9") == given
    assert run(str(tmp_path / "m"), "--tokens", "9")[0] == 0


def test_pieces_come_one_by_one_and_control_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    model_folder(tmp_path / "m", byte_tokenizer())
    pieces: list[str] = []
    monkeypatch.setattr(sys.stdout, "write", pieces.append)
    write_text(str(tmp_path / "m"), None, "red \x1b[31m", 80, Sampling(), seed=1, device="cpu")
    assert len(pieces) > 20 and pieces[0] == "red \\x1b[31m" and pieces[-1] == "\n"
    assert_safe("".join(pieces))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "-1"], "--temperature: a number of at least 0, got -1.0"),
        (["--top-k", "0"], "--top-k: at least 1 token, got 0"),
        (["--top-p", "2"], "--top-p: a probability above 0 and at most 1, got 2.0"),
        (["--seed", "-1"], "--seed: a whole number of at least 0 and below 2\\^63, got -1"),
        (["--tokens", "0"], "--tokens"),
        (["--device", "tpu"], "--device: cpu or cuda, got 'tpu'"),
        (["--trial", "2"], "--trial: .* is one model, not a results folder"),
    ],
)
def test_bad_options_are_refused_in_one_line(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    model_folder(tmp_path / "m", byte_tokenizer())
    refused(run(str(tmp_path / "m"), *arguments), message)


def refused(ended: tuple[int, str, str], message: str) -> None:
    status, text, errors = ended
    assert (status, text) == (2, "") and errors.count("\n") == 1
    assert re.search(message, errors), errors


def test_folders_that_cannot_generate_are_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    refused(run(str(tmp_path / "nowhere")), "nowhere")
    model_folder(tmp_path / "begun", byte_tokenizer(), state="training")
    refused(run(str(tmp_path / "begun")), "has not ended; continue it with the msarch train that began it")
    model_folder(tmp_path / "cut", byte_tokenizer())
    weights = tmp_path / "cut" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:200])
    refused(run(str(tmp_path / "cut")), r"model.safetensors: is damaged .*; train the model again")
    model_folder(tmp_path / "other", byte_tokenizer())
    write_tensors(tmp_path / "other" / WEIGHTS, {"embedding.weight": torch.zeros(3, 3)}, {})
    refused(run(str(tmp_path / "other")), "model.safetensors: is damaged")
    model_folder(tmp_path / "words", byte_tokenizer())
    train_bpe(iter(["one two three four " * 9]), 262).save(tmp_path / "words" / TOKENIZER)
    refused(run(str(tmp_path / "words")), "tokenizer.json: has 262 tokens, the model 256")


def test_an_exported_model_is_refused_with_what_to_name_instead(run: Run, tmp_path: Path) -> None:
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "config.json").write_text("{}")
    status, text, errors = run(str(tmp_path / "exported"))
    assert (status, text) == (2, "")
    assert "was written by msarch export, for other programs: open it with transformers, or name the model" in errors


def test_a_folder_of_a_trial_is_refused_with_the_name_of_that_trial(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "a"
    (folder / "trials" / "0007").mkdir(parents=True)
    (folder / "study.journal").write_text("")
    status, text, errors = run(str(folder / "trials" / "0007"))
    assert (status, text) == (2, "") and errors.strip().endswith(f"name it {folder}:7")
