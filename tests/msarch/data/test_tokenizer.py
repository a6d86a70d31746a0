import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from msarch.config.corpus import TokenizerConfig
from msarch.data.tokenizer import (
    SEPARATOR,
    Tokenizer,
    byte_tokenizer,
    load_tokenizer,
    tokenizer_spec,
    train_bpe,
    vocab_size_of,
)
from msarch.errors import UserError

TEXT = "The cat sat on the mat; the other cats sat on other mats.\n\n  Größe, naïve café, 日本語 and 🙂.\tEnd\n" * 3


def trained(vocab_size: int = 280) -> Tokenizer:
    return train_bpe(iter([TEXT, TEXT[::-1]]), vocab_size)


@pytest.mark.parametrize("tokenizer", [trained(), trained(257), byte_tokenizer()], ids=["bpe", "no merges", "bytes"])
def test_text_comes_back_and_every_byte_is_counted(tokenizer: Tokenizer, tmp_path: Path) -> None:
    text = TEXT + f"a {SEPARATOR} written out"
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert tokenizer.separator == 0 and 0 not in tokens
    assert max(tokens) < tokenizer.vocab_size
    assert tokenizer.token_bytes is not None and tokenizer.token_bytes.shape == (tokenizer.vocab_size,)
    assert tokenizer.token_bytes[0] == 0
    assert tokenizer.token_bytes[tokens].sum() == len(text.encode())
    assert tokenizer.decode([*tokens, 0]) == text


def test_bytes_are_bytes() -> None:
    assert byte_tokenizer().encode("aé") == list("aé".encode())


@pytest.mark.parametrize("tokenizer", [trained(), byte_tokenizer()], ids=["bpe", "bytes"])
def test_a_saved_tokenizer_opens_again(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.encode(TEXT) == tokenizer.encode(TEXT)
    assert (again.vocab_size, again.separator, again.is_bytes) == (
        tokenizer.vocab_size,
        tokenizer.separator,
        tokenizer.is_bytes,
    )
    elsewhere = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert elsewhere.encode("The cat").ids == tokenizer.encode("The cat")


def test_training_gives_the_same_vocabulary_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from msarch.data.tokenizer import train_bpe;"
        "text = Path(sys.argv[1]).read_text(); train_bpe(iter([text, text[::-1]]), 300).save(Path(sys.argv[2]))"
    )
    (tmp_path / "text").write_text(TEXT * 20 + "".join(f"word{n * n} " for n in range(3000)))
    for name, threads in (("one", "1"), ("two", "2"), ("three", "2")):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", code, tmp_path / "text", tmp_path / name], check=True, env=environment)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes()


def test_a_vocabulary_too_large_for_the_text_is_refused_with_what_it_yields() -> None:
    with pytest.raises(UserError, match=r"only 2[0-9]+ tokens, not 5000") as caught:
        train_bpe(iter(["a small text"]), 5000)
    assert caught.value.key == "corpus.tokenizer.bpe"


def word_file(path: Path) -> None:
    """A tokenizer whose tokens stand for no fixed bytes, as its author saved it: cutting, padding, framing."""
    raw = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0, "cat": 1, "sat": 2, "[SEP]": 5}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.add_special_tokens(["[SEP]", "[UNK]"])
    raw.post_processor = processors.TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", 5)])
    raw.enable_truncation(3)
    raw.enable_padding(length=10)
    raw.save(str(path))


def test_a_foreign_file_encodes_text_and_nothing_but_text(tmp_path: Path) -> None:
    word_file(tmp_path / "t.json")
    tokenizer = load_tokenizer(tmp_path / "t.json")
    assert tokenizer.encode("cat sat dog cat sat") == [1, 2, 0, 1, 2]
    assert tokenizer.vocab_size == 6  # numbers 3 and 4 are not used, but 5 is
    assert tokenizer.separator == 5
    assert tokenizer.token_bytes is None
    assert vocab_size_of(TokenizerConfig(kind="file", file="t.json"), base=tmp_path) == 6


def test_token_bytes_know_added_tokens(tmp_path: Path) -> None:
    tokenizer = trained()
    tokenizer.save(tmp_path / "t.json")
    raw = tokenizers.Tokenizer.from_file(str(tmp_path / "t.json"))
    raw.add_tokens(["größer"])
    raw.add_special_tokens(["<pad>"])
    grown = Tokenizer(raw)
    counts = grown.token_bytes
    assert counts is not None
    assert counts[grown.encode("größer")].tolist() == [8]
    assert tokenizer.token_bytes is not None
    assert counts[-1] == 0 and np.array_equal(counts[:280], tokenizer.token_bytes)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    word_file(tmp_path / "a.json")
    (tmp_path / "b.json").write_bytes((tmp_path / "a.json").read_bytes())
    (tmp_path / "c.json").write_text("{}")

    def spec(name: str) -> dict[str, str | int]:
        return tokenizer_spec(TokenizerConfig(kind="file", file=name), base=tmp_path)

    assert spec("a.json") == spec(str(tmp_path / "b.json")) != spec("c.json")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", json.dumps({"model": 1}).encode()])
def test_what_is_no_tokenizer_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        vocab_size_of(TokenizerConfig(kind="file", file="t.json"), base=tmp_path)
    assert caught.value.key == "corpus.tokenizer.file" and "t.json" in str(caught.value)
    assert "\n" not in str(caught.value)
