"""A stranger's text and tokenizer are only read: they stop no process, take no hours, and control no terminal."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import ROOT, SPACE
from support.commands import assert_safe, run_command

from msarch.config.corpus import TokenizerConfig
from msarch.data.tokenizer import LONGEST_WORD, load_tokenizer, train_bpe, vocab_size_of
from msarch.errors import UserError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "space.yaml").write_text(SPACE)
    return lambda *arguments: run_command(list(arguments), monkeypatch, capfd)


def bpe(**model: Any) -> dict[str, Any]:
    """A tokenizer.json with a small BPE, as a stranger may have changed it."""
    given = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], **model}
    return {"version": "1.0", "added_tokens": [], "model": given, "pre_tokenizer": None, "decoder": None}


HOSTILE: dict[str, Any] = {
    "a prefix longer than every token": bpe(continuing_subword_prefix="#" * 1000),
    "a number that needs all memory": bpe(vocab={"a": 0, "b": 1, "ab": 2, "z": 2**32 - 1}),
    "no tokens": bpe(vocab={}, merges=[]),
    "escape sequences": {"version": "\x1b[2J", "model": {"type": "\x1b]0;owned\x07\u202e" * 900}},
    "a merge of nothing": bpe(merges=["x y"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_tokenizer_that_stops_the_library_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps(HOSTILE[name]))
    code = (
        "import sys; from pathlib import Path; from msarch.errors import UserError\n"
        "from msarch.data.tokenizer import load_tokenizer\n"
        "try: load_tokenizer(Path(sys.argv[1]), key='corpus.tokenizer.file')\n"
        "except UserError as error: sys.exit('REFUSED ' + ascii(str(error)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "t.json")]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.startswith("REFUSED "), done.stderr[:500]
    assert done.stderr.count("\n") == 1 and "panicked" not in done.stderr
    assert len(done.stderr) < 300 + len(str(tmp_path))


def test_a_search_with_such_a_tokenizer_ends_with_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("some words " * 2000)
    (tmp_path / "t.json").write_text(json.dumps(HOSTILE["escape sequences"]))
    status, _, err = run("search", "space.yaml", "--dry-run", "--set", "corpus.tokenizer={file: t.json}")
    assert status == 2 and err.count("\n") == 1
    assert_safe(err)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["zero", "pipe", "huge"])
def test_a_tokenizer_that_is_not_a_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(2**40)
    with pytest.raises(UserError, match=r"device or a pipe|too large") as caught:
        vocab_size_of(TokenizerConfig(kind="file", file="t.json"), base=tmp_path)
    assert caught.value.key == "corpus.tokenizer.file"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("letters", ["ACGT", " ", "a", "日"])
def test_a_vocabulary_is_learnt_from_text_without_blanks_in_seconds(letters: str) -> None:
    random_ = random.Random(0)
    text = "".join(random_.choice(letters) for _ in range(200_000))
    begun = time.process_time()
    tokenizer = train_bpe(iter([text]), 260 if len(letters) == 1 else 1024)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert time.process_time() - begun < 60  # four minutes were not enough


def test_words_shorter_than_the_bound_are_learnt_whole(tmp_path: Path) -> None:
    """The same vocabulary as without the bound, to the byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    long = "x".join(str(number) for number in range(400))[: LONGEST_WORD - 1]
    text = " ".join(f"word{number * number} größe 日本 {long}" for number in range(300))
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator([text], trainer)
    train_bpe(iter([text]), 600).save(tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == json.loads(raw.to_str())
    assert load_tokenizer(tmp_path / "t.json").vocab_size == 600


EVIL = "\x1b]0;owned\x07\u202e"


def test_names_and_columns_of_a_corpus_reach_no_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / f"{EVIL}.csv").write_text(f"{EVIL},b\n1,2\n")
    (tmp_path / "wide.csv").write_text(",".join(f"{EVIL}{number}" * 9 for number in range(5000)) + "\n1\n")
    (tmp_path / "bad.jsonl").write_text('{"' + EVIL * 50 + '": 1}\n')
    for name in ("*.csv", "wide.csv", "bad.jsonl", f"{EVIL}.txt", "[" * 5000):
        status, out, err = run("search", "space.yaml", "--dry-run", "--set", f"corpus.train={json.dumps(name)}")
        assert status == 2 and err.count("\n") == 1 and len(err) < 8000
        assert_safe(out + err)


@pytest.mark.timeout(60)
def test_a_corpus_of_devices_and_pipes_names_no_file(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    for name in ("pipe.txt", "zero.txt", "*.txt"):
        status, _, err = run("search", "space.yaml", "--dry-run", "--set", f"corpus.train='{name}'")
        assert status == 2 and "names no file" in err
