import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.small_texts import LINES, corpus_in, folders

from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.data import encoder
from msarch.data.token_set import open_tokens, prepare_tokens
from msarch.data.tokenizer import Tokenizer, make_tokenizer
from msarch.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    return corpus_in(tmp_path)


@pytest.mark.parametrize("name", ["train.bin", "validation.bin", "tokenizer.json", "token_bytes.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_damaged_folder_is_built_again(
    corpus: CorpusConfig, tmp_path: Path, cache: Path, name: str, damage: str
) -> None:
    tokens = prepare_tokens(corpus, base=tmp_path)
    whole = {path.name: path.read_bytes() for path in tokens.folder.iterdir()}
    path = tokens.folder / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[name][: len(whole[name]) // 2 if damage == "cut" else 0])
    assert open_tokens(tokens.folder) is None
    prepare_tokens(replace(corpus, content=tokens.content), base=tmp_path)
    assert {path.name: path.read_bytes() for path in tokens.folder.iterdir()} == whole
    assert folders(cache) == [tokens.folder]


def test_what_a_killed_builder_left_is_cleared(corpus: CorpusConfig, tmp_path: Path, cache: Path) -> None:
    tokens = prepare_tokens(corpus, base=tmp_path)
    left = cache / f".{tokens.fingerprint}.killed"
    tokens.folder.rename(left)
    (left / "meta.json").unlink()
    prepare_tokens(corpus, base=tmp_path)
    assert folders(cache) == [tokens.folder]


def test_a_build_that_fails_leaves_nothing(corpus: CorpusConfig, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UserError, match="yields only"):
        prepare_tokens(replace(corpus, tokenizer=TokenizerConfig(vocab_size=60_000)), base=tmp_path)
    assert folders(cache) == []


def test_text_that_changes_while_it_is_read_is_refused(
    corpus: CorpusConfig, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_and_change(*arguments: Any, **named: Any) -> Tokenizer:
        (tmp_path / "validation.txt").write_text("another text")
        return make_tokenizer(*arguments, **named)

    monkeypatch.setattr(encoder, "make_tokenizer", make_and_change)
    with pytest.raises(UserError, match="changed while it was read"):
        prepare_tokens(corpus, base=tmp_path)
    assert folders(cache) == []


_BUILD = """
import sys
from pathlib import Path
from msarch.data import cache_folder, encoder
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.data.token_set import prepare_tokens

if sys.argv[2] == "without locks":
    cache_folder.fcntl = None
count = encoder.encode_corpus
def counted(*arguments, **named):
    print("encoded", flush=True)
    count(*arguments, **named)
encoder.encode_corpus = counted
print("ready", flush=True)
sys.stdin.readline()
config = CorpusConfig(source="files", train=("train/*.txt",), validation=("validation.txt",),
                      tokenizer=TokenizerConfig(vocab_size=400))
tokens = prepare_tokens(config, base=Path(sys.argv[1]))
print(tokens.fingerprint, len(tokens.train), int(tokens.train.sum()))
"""


@pytest.mark.parametrize("locks", ["with locks", "without locks"])
@pytest.mark.usefixtures("corpus")
def test_two_processes_at_once_get_the_same_whole_cache(tmp_path: Path, cache: Path, locks: str) -> None:
    (tmp_path / "train/long.txt").write_text("".join(LINES) * 50)
    builders = [
        subprocess.Popen(
            [sys.executable, "-c", _BUILD, str(tmp_path), locks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(2)
    ]
    for builder in builders:
        assert builder.stdout is not None and builder.stdout.readline() == "ready\n"
    for builder in builders:  # both are imported and waiting: they start within a millisecond
        assert builder.stdin is not None
        builder.stdin.write("go\n")
        builder.stdin.flush()
    outputs = []
    for builder in builders:
        out, err = builder.communicate()
        assert builder.returncode == 0, err
        outputs.append(out.splitlines())
    assert outputs[0][-1] == outputs[1][-1]
    assert len(folders(cache)) == 1
    encoded = sum(lines.count("encoded") for lines in outputs)
    assert encoded == 1 if locks == "with locks" else encoded in (1, 2)


def test_a_cache_that_cannot_be_written_is_one_line(
    corpus: CorpusConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\).*MSARCH_CACHE"):
        prepare_tokens(corpus, base=tmp_path)
