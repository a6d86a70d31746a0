"""Text to tokens and back: byte-level BPE trained on the corpus, plain bytes, or a tokenizer file.

All three are saved in the format of `tokenizers`, so other programs can open them. A special token that is written
out in a text is read as plain text; only the cache puts separators between documents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from msarch.config.corpus import TokenizerConfig
from msarch.data.find_files import expand_home
from msarch.data.long_documents import split_document
from msarch.data.tokenizer_check import check_tokenizer
from msarch.errors import UserError, shortened
from msarch.paths import read_regular

if TYPE_CHECKING:
    import tokenizers

SEPARATOR = "<|endoftext|>"
"""The token between documents in a vocabulary that we train; its number is 0."""

LONGEST_WORD = 1000
"""Bytes of a word that a vocabulary learns from: a longer stretch without blanks is learnt from in pieces."""
LARGEST_FILE = 2**28
"""Bytes of a tokenizer file; those of the largest vocabularies have an eighth."""

_SEPARATORS = (SEPARATOR, "</s>", "[SEP]", "<eos>", "<|end_of_text|>")


class Tokenizer:
    """One vocabulary.

    Attributes:
        vocab_size: tokens in the vocabulary; every token number is below this.
        separator: the token between documents, or None where the vocabulary has none.
        token_bytes: bytes of text that each token decodes to, (vocab_size,) int64, 0 for special ones; None where
            that depends on the neighbouring tokens.
    """

    def __init__(self, raw: tokenizers.Tokenizer) -> None:
        raw.no_padding()
        raw.no_truncation()
        raw.encode_special_tokens = True  # "<|endoftext|>" written in a text is ordinary text
        self._raw = raw
        self._vocabulary: dict[str, int] = raw.get_vocab(with_added_tokens=True)
        self.is_bytes = self._vocabulary == dict(zip(BYTE_LETTERS, range(256), strict=True))
        self.vocab_size = max(self._vocabulary.values()) + 1
        self.separator = 0 if self.is_bytes else self._find_separator()
        self.token_bytes = self._count_bytes()

    def encode(self, text: str) -> list[int]:
        """Token numbers of `text`, without separators."""
        return [int(token) for token in self.encode_batch([text])[0]]

    def encode_batch(self, texts: Sequence[str]) -> list[NDArray[Any]]:
        """Token numbers of each text, (time,) unsigned."""
        if self.is_bytes:
            return [np.frombuffer(text.encode(), dtype=np.uint8) for text in texts]
        try:
            encodings = self._raw.encode_batch_fast(list(texts), add_special_tokens=False)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of the library; it is no Exception
                raise
            raise UserError(
                f"it cannot encode this text: {shortened(str(error))}; choose another", key="corpus.tokenizer"
            ) from None
        return [np.array(encoding.ids, dtype=np.uint32) for encoding in encodings]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of token numbers; separators and other special tokens are left out."""
        numbers = [int(token) for token in tokens]
        if self.is_bytes:
            return bytes(number for number in numbers if number != self.separator).decode(errors="replace")
        text: str = self._raw.decode(numbers, skip_special_tokens=True)
        return text

    def bytes_of(self, token: int) -> bytes:
        """What a token of a vocabulary with `token_bytes` stands for; nothing for a special one."""
        assert self.token_bytes is not None
        if not self.token_bytes[token]:
            return b""
        added = self._raw.get_added_tokens_decoder().get(token)
        if added is not None:
            return str(added.content).encode()
        return bytes(BYTE_LETTERS.index(letter) for letter in self.word(token))

    def word(self, token: int) -> str:
        """How the vocabulary writes a token."""
        return str(self._raw.id_to_token(token))

    def save(self, path: Path) -> None:
        """Writes a ``tokenizer.json`` that `load_tokenizer` opens again."""
        path.write_text(self._raw.to_str(pretty=True), encoding="utf-8")

    def _find_separator(self) -> int | None:
        return next((self._vocabulary[name] for name in _SEPARATORS if name in self._vocabulary), None)

    def _count_bytes(self) -> NDArray[np.int64] | None:
        added = self._raw.get_added_tokens_decoder()
        ordinary = {name: number for name, number in self._vocabulary.items() if number not in added}
        letters = frozenset(BYTE_LETTERS)
        if "ByteLevel" not in json.dumps(json.loads(self._raw.to_str())["decoder"]):
            return None
        if not all(letters.issuperset(name) for name in ordinary):
            return None
        counts = np.zeros(self.vocab_size, dtype=np.int64)
        for name, number in ordinary.items():
            counts[number] = len(name)  # one letter of the byte alphabet is one byte
        for number, token in added.items():
            counts[number] = 0 if token.special else len(token.content.encode())
        if self.is_bytes:
            counts[0] = 0
        return counts


def _byte_letters() -> str:
    """The 256 letters by which byte-level vocabularies write bytes: printable ones unchanged, others shifted."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    shifted = iter(range(256, 512))
    return "".join(chr(byte) if byte in printable else chr(next(shifted)) for byte in range(256))


BYTE_LETTERS = _byte_letters()


def load_tokenizer(path: Path, *, key: str = "") -> Tokenizer:
    """The tokenizer in a ``tokenizer.json``. Raises UserError at `key` where there is none."""
    import tokenizers

    content = _read(path, key)
    try:
        check_tokenizer(content)
        return Tokenizer(tokenizers.Tokenizer.from_str(content.decode(errors="replace")))
    except Exception as error:  # the library raises no narrower type
        reason = shortened(next(iter(str(error).splitlines()), type(error).__name__))
        raise UserError(f"{path} is not a tokenizer.json that can be used: {reason}", key=key) from None


def make_tokenizer(config: TokenizerConfig, documents: Iterator[str], *, base: Path) -> Tokenizer:
    """The tokenizer that `config` names; a BPE is trained on `documents`. Raises UserError."""
    if config.kind == "bytes":
        return byte_tokenizer()
    if config.kind == "file":
        return load_tokenizer(_path_of(config, base), key=_FILE_KEY)
    return train_bpe(documents, config.vocab_size)


def train_bpe(documents: Iterator[str], vocab_size: int) -> Tokenizer:
    """Byte-level BPE with `vocab_size` tokens, the separator among them. The same text gives the same vocabulary.

    Raises UserError where the text has too few different words to fill the vocabulary.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Raw

    raw = Raw(models.BPE())
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # Merging takes time with the square of a word's length. No word of ordinary text comes near this one.
    short = pre_tokenizers.Split(Regex(f"[\\s\\S]{{{LONGEST_WORD}}}"), "isolated")
    raw.pre_tokenizer = pre_tokenizers.Sequence([words, short])
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        (piece for text in documents for piece in split_document(text)),
        trainers.BpeTrainer(
            vocab_size=vocab_size, special_tokens=[SEPARATOR], initial_alphabet=alphabet, show_progress=False
        ),
    )
    raw.pre_tokenizer = words  # encoding takes no such time, and sees whole words as before
    if raw.get_vocab_size() != vocab_size:
        raise UserError(
            f"the training text yields only {raw.get_vocab_size()} tokens, not {vocab_size}; write bpe: "
            f"{raw.get_vocab_size()} or less, or give more text",
            key="corpus.tokenizer.bpe",
        )
    return Tokenizer(raw)


def byte_tokenizer() -> Tokenizer:
    """Every byte of UTF-8 is a token, 0 to 255; byte 0 also separates documents."""
    from tokenizers import Tokenizer as Raw
    from tokenizers import decoders, models, pre_tokenizers

    raw = Raw(models.BPE(vocab={letter: byte for byte, letter in enumerate(BYTE_LETTERS)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    return Tokenizer(raw)


def tokenizer_spec(config: TokenizerConfig, *, base: Path) -> dict[str, str | int]:
    """What identifies the tokenizer besides the text it is trained on. Raises UserError where a file is missing."""
    if config.kind == "file":
        return {"kind": "file", "sha256": hashlib.sha256(_read(_path_of(config, base), _FILE_KEY)).hexdigest()}
    return {"kind": "bytes"} if config.kind == "bytes" else {"kind": "bpe", "vocab_size": config.vocab_size}


def vocab_size_of(config: TokenizerConfig, *, base: Path | None = None) -> int:
    """Tokens in the vocabulary that `config` names, without reading any corpus. Raises UserError."""
    if config.kind == "file":
        return load_tokenizer(_path_of(config, base or Path.cwd()), key=_FILE_KEY).vocab_size
    return 256 if config.kind == "bytes" else config.vocab_size


_FILE_KEY = "corpus.tokenizer.file"


def _path_of(config: TokenizerConfig, base: Path) -> Path:
    return base / expand_home(config.file)


def _read(path: Path, key: str) -> bytes:
    try:
        return read_regular(path, most=LARGEST_FILE)
    except UserError as error:
        raise UserError(f"{path} {error.message}; name a tokenizer.json", key=key) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise UserError(
            f"{path} cannot be read: {getattr(error, 'strerror', error)}; name a tokenizer.json", key=key
        ) from None
