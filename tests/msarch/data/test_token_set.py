import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.small_texts import LINES, corpus_in, folders

from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.data import encoder
from msarch.data.token_set import TokenSet, check_length, prepare_tokens
from msarch.data.tokenizer import load_tokenizer
from msarch.errors import UserError

BPE = TokenizerConfig(kind="bpe", vocab_size=300)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    return corpus_in(tmp_path)


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
    monkeypatch.setattr(encoder, "encode_corpus", lambda *_, **__: pytest.fail("encoded again"))
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
        ((65, 101, 1), "corpus.test", ["the test text is 1 token long", "needs 2"]),
    ],
)
def test_text_too_short_for_its_use_is_refused(
    lengths: tuple[int, int, int | None], key: str, figures: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        check_length(token_set(*lengths), context=64, targets=100)
    assert caught.value.key == key
    assert all(figure in caught.value.message for figure in figures)


def test_no_number_of_targets_is_advised_that_does_not_fit_either() -> None:
    with pytest.raises(UserError, match=r"needs? 101; give more text$"):
        check_length(token_set(65, 1, None), context=64, targets=100)


def test_text_that_is_just_long_enough_passes() -> None:
    check_length(token_set(65, 101, 2), context=64, targets=100)
    check_length(token_set(65, 101, None), context=64, targets=100)


def test_asking_for_test_text_that_is_not_there_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match="no test text"):
        token_set(10, 10, None).bytes_of("test", 0, 5)
