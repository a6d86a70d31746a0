import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from msarch import encode
from msarch.corpus_config import CorpusConfig, TokenizerConfig
from msarch.errors import UserError
from msarch.tokenizer import Tokenizer, load_tokenizer, make_tokenizer
from msarch.tokens import TokenSet, check_length, open_tokens, prepare_tokens

BYTES = TokenizerConfig(kind="bytes")
BPE = TokenizerConfig(kind="bpe", vocab_size=300)
LINES = [f"line {number} of a text about {number * number} things, naïve café\n" for number in range(400)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.txt").write_text("".join(LINES[:200]))
    (tmp_path / "train/b.txt").write_text("".join(LINES[200:300]))
    (tmp_path / "validation.txt").write_text("".join(LINES[300:]))
    return CorpusConfig(source="files", train=("train/*.txt",), validation=("validation.txt",), tokenizer=BYTES)


def folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def test_bytes_are_the_documents_with_a_zero_between_them(corpus: CorpusConfig, tmp_path: Path) -> None:
    tokens = prepare_tokens(corpus, base=tmp_path)
    documents = ["".join(LINES[:200]).encode(), "".join(LINES[200:300]).encode()]
    assert tokens.train.tobytes() == np.frombuffer(b"\0".join(documents), np.uint8).astype("<u2").tobytes()
    assert bytes(tokens.validation.astype(np.uint8)).decode() == "".join(LINES[300:])
    assert tokens.test is None and tokens.vocab_size == 256
    assert tokens.bytes_of("train", 0, len(tokens.train)) == len(documents[0]) + len(documents[1])
    assert tokens.bytes_of("train", len(documents[0]) - 2, len(documents[0]) + 2) == 3


def test_bpe_tokens_are_memory_maps_of_the_text(corpus: CorpusConfig, tmp_path: Path) -> None:
    tokens = prepare_tokens(replace(corpus, tokenizer=BPE), base=tmp_path)
    assert isinstance(tokens.train, np.memmap) and not tokens.train.flags.writeable
    assert tokens.train.dtype == np.uint16 and tokens.train.max() < tokens.vocab_size == 300
    tokenizer = load_tokenizer(tokens.folder / "tokenizer.json")
    assert tokenizer.decode(tokens.validation) == "".join(LINES[300:])
    assert tokenizer.encode("".join(LINES[300:])) == tokens.validation.tolist()
    half = len(tokens.validation) // 2
    text = tokenizer.decode(tokens.validation[:half])
    assert tokens.bytes_of("validation", 0, half) == len(text.encode())


def test_a_long_document_is_encoded_in_pieces_as_it_would_be_whole(tmp_path: Path) -> None:
    text = "".join(LINES) * 60
    (tmp_path / "long.txt").write_text(text)
    config = CorpusConfig(source="files", train=("long.txt",), validation=("v.txt",), tokenizer=BPE)
    (tmp_path / "v.txt").write_text("v")
    tokens = prepare_tokens(config, base=tmp_path)
    assert len(text) > 4 * (1 << 18)
    assert tokens.train.tolist() == load_tokenizer(tokens.folder / "tokenizer.json").encode(text)


def test_large_vocabularies_take_four_bytes_and_foreign_tokens_a_mean_of_bytes(
    corpus: CorpusConfig, tmp_path: Path
) -> None:
    import tokenizers
    from tokenizers import models, pre_tokenizers

    raw = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0, "line": 70_000, "text": 1}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.save(str(tmp_path / "words.json"))
    config = replace(corpus, tokenizer=TokenizerConfig(kind="file", file="words.json"))
    tokens = prepare_tokens(config, base=tmp_path)
    assert tokens.train.dtype == np.uint32 and tokens.train.max() == 70_000 and tokens.vocab_size == 70_001
    assert tokens.token_bytes is None
    total = len("".join(LINES[300:]).encode())
    assert tokens.bytes_of("validation", 0, len(tokens.validation)) == pytest.approx(total)
    assert tokens.bytes_of("validation", 10, 20) == pytest.approx(10 * total / len(tokens.validation))


def test_the_same_corpus_is_encoded_once(
    corpus: CorpusConfig, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_tokens(corpus, base=tmp_path)
    monkeypatch.setattr(encode, "encode_corpus", lambda *_, **__: pytest.fail("encoded again"))
    assert prepare_tokens(corpus, base=tmp_path).folder == first.folder
    monkeypatch.undo()
    monkeypatch.setenv("MSARCH_CACHE", str(cache))
    other = prepare_tokens(replace(corpus, tokenizer=BPE), base=tmp_path)
    assert other.content == first.content and other.fingerprint != first.fingerprint
    assert len(folders(cache)) == 2


def test_recorded_content_opens_the_cache_without_the_text(corpus: CorpusConfig, tmp_path: Path, cache: Path) -> None:
    tokens = prepare_tokens(corpus, base=tmp_path)
    recorded = replace(corpus, content=tokens.content)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert prepare_tokens(recorded, base=elsewhere).folder == tokens.folder
    with pytest.raises(UserError, match=f"content {tokens.content} has moved, name it with --set corpus.train="):
        prepare_tokens(replace(recorded, tokenizer=BPE), base=elsewhere)


def test_the_meta_file_says_what_is_there(corpus: CorpusConfig, tmp_path: Path) -> None:
    tokens = prepare_tokens(corpus, base=tmp_path)
    meta = json.loads((tokens.folder / "meta.json").read_text())
    assert meta["splits"]["train"]["documents"] == 2
    assert meta["splits"]["validation"]["tokens"] == len(tokens.validation)
    assert meta["fingerprint"] == tokens.folder.name and meta["content"] == tokens.content
    assert str(tmp_path) not in json.dumps(meta)


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

    monkeypatch.setattr(encode, "make_tokenizer", make_and_change)
    with pytest.raises(UserError, match="changed while it was read"):
        prepare_tokens(corpus, base=tmp_path)
    assert folders(cache) == []


_BUILD = """
import sys
from pathlib import Path
from msarch import cache, encode
from msarch.corpus_config import CorpusConfig, TokenizerConfig
from msarch.tokens import prepare_tokens

if sys.argv[2] == "without locks":
    cache.fcntl = None
count = encode.encode_corpus
def counted(*arguments, **named):
    print("encoded", flush=True)
    count(*arguments, **named)
encode.encode_corpus = counted
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
        out, err = builder.communicate(timeout=120)
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


def token_set(train: int, validation: int, test: int | None) -> TokenSet:
    def zeros(length: int) -> NDArray[np.uint16]:
        return np.zeros(length, dtype=np.uint16)

    return TokenSet(
        train=zeros(train),
        validation=zeros(validation),
        test=None if test is None else zeros(test),
        vocab_size=256,
        fingerprint="",
        content="",
        token_bytes=None,
        folder=Path(),
    )


@pytest.mark.parametrize(
    ("lengths", "key", "figures"),
    [
        ((64, 101, 101), "corpus.train", ["64", "65"]),
        ((65, 100, 101), "corpus.validation", ["100", "101", "99"]),
        ((65, 101, 7), "corpus.test", ["7 tokens", "101"]),
    ],
)
def test_text_too_short_for_its_use_is_refused(
    lengths: tuple[int, int, int | None], key: str, figures: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        check_length(token_set(*lengths), context=64, targets=100)
    assert caught.value.key == key
    assert all(figure in caught.value.message for figure in figures)


def test_text_that_is_just_long_enough_passes() -> None:
    check_length(token_set(65, 101, 101), context=64, targets=100)
    check_length(token_set(65, 101, None), context=64, targets=100)


def test_asking_for_test_text_that_is_not_there_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match="no test text"):
        token_set(10, 10, None).bytes_of("test", 0, 5)
