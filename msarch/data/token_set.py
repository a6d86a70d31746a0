"""Tokens of a corpus, encoded once for each (text, tokenizer) and shared by every trial, memory-mapped.

A cache folder is named by its fingerprint and holds ``train.bin``, ``validation.bin`` and perhaps
``test.bin`` (bare little-endian numbers), ``tokenizer.json``, ``token_bytes.npy`` and ``meta.json``. It is
never opened half-built: see `msarch.data.cache_folder`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from msarch.config.corpus import CorpusConfig
from msarch.data.cache_folder import build_folder, cache_base
from msarch.data.tokenizer import tokenizer_spec
from msarch.errors import UserError

if TYPE_CHECKING:
    from msarch.data.corpus import Corpus

_FORMAT = 1
"""Part of the fingerprint. Raise it when the files change: old folders are then rebuilt instead of misread."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenSet:
    """The tokens of a corpus.

    Attributes:
        train, validation, test: (time,) uint16, or uint32 above 65,536 tokens, read-only memory maps.
        vocab_size: every token is below this.
        fingerprint: hash of text and tokenizer; names the folder.
        content: hash of the text, as in `CorpusConfig.content`.
        token_bytes: bytes of text that each token decodes to, (vocab_size,) int64, 0 for the document separator;
            None where that depends on the neighbouring tokens.
        folder: the cache folder; holds ``tokenizer.json``.
        text_bytes: bytes of UTF-8 text in each split.
    """

    train: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any] | None
    vocab_size: int
    fingerprint: str
    content: str
    token_bytes: NDArray[np.int64] | None
    folder: Path
    text_bytes: Mapping[str, int] = field(default_factory=dict)

    def split(self, name: str) -> NDArray[Any]:
        """The tokens of "train", "validation" or "test". Raises UserError where the corpus has no test text."""
        tokens: NDArray[Any] | None = {"train": self.train, "validation": self.validation, "test": self.test}[name]
        if tokens is None:
            raise UserError("this corpus has no test text; name some", key="corpus.test")
        return tokens

    def targets_in(self, split: str, most: int) -> int:
        """How many targets of a split there are, at most so many: every token but the first can be one."""
        return min(most, len(self.split(split)) - 1)

    def bytes_of(self, split: str, start: int, stop: int) -> float:
        """Bytes of text in tokens[start:stop] of a split: exact where `token_bytes` is known, else by its mean."""
        tokens = self.split(split)
        span = tokens[start:stop]
        if self.token_bytes is not None:
            return float(self.token_bytes[span].sum())
        return self.text_bytes[split] / len(tokens) * len(span)


def prepare_tokens(
    corpus: CorpusConfig, *, base: Path | None = None, on_encode: Callable[[], None] | None = None
) -> TokenSet:
    """The tokens of `corpus`, from the cache or encoded into it; relative paths start at `base`, or else here.

    Where `corpus.content` is set and those tokens are in the cache, the text itself is not needed. Warns as
    `read_corpus` does. `on_encode` is called before the text is encoded, which can take minutes.
    Raises UserError, with the key, where text or tokenizer are missing or do not fit.
    """
    root = (base or Path.cwd()).absolute()
    text, tokens = _find(corpus, root)
    if tokens is not None:
        return tokens
    assert text is not None
    folder = _folder(text.content, tokenizer_spec(corpus.tokenizer, base=root))

    def build(temporary: Path) -> None:
        from msarch.data.encoder import encode_corpus

        if on_encode is not None:
            on_encode()
        encode_corpus(text, corpus.tokenizer, temporary, base=root, fingerprint=folder.name)

    build_folder(folder, is_whole=lambda path: open_tokens(path) is not None, build=build)
    tokens = open_tokens(folder)
    assert tokens is not None, f"{folder} was just built"
    return tokens


def _find(corpus: CorpusConfig, root: Path) -> tuple[Corpus | None, TokenSet | None]:
    """The text, unless the recorded content's tokens make it unnecessary, and the tokens where they are cached."""
    from msarch.data.corpus import read_corpus

    spec = tokenizer_spec(corpus.tokenizer, base=root)
    if corpus.content:
        tokens = open_tokens(_folder(corpus.content, spec))
        if tokens is not None:
            return None, tokens
    text = read_corpus(corpus, base=root)
    return text, open_tokens(_folder(text.content, spec))


def _folder(content: str, spec: Mapping[str, str | int]) -> Path:
    text = json.dumps([_FORMAT, content, dict(spec)], sort_keys=True)
    return cache_base() / hashlib.sha256(text.encode()).hexdigest()[:24]


def open_tokens(folder: Path) -> TokenSet | None:
    """The tokens in a cache folder, or None where it is missing, half-built or damaged."""
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        return _open(folder, meta) if _is_whole(folder, meta) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # whatever is wrong with it, it is built again
        return None


def _open(folder: Path, meta: dict[str, Any]) -> TokenSet:
    splits = {name: _map(folder / f"{name}.bin", meta["dtype"]) for name in meta["splits"]}
    counts = np.load(folder / "token_bytes.npy") if meta["exact_bytes"] else None
    return TokenSet(
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        vocab_size=meta["vocab_size"],
        fingerprint=meta["fingerprint"],
        content=meta["content"],
        token_bytes=counts,
        folder=folder,
        text_bytes={name: meta["splits"][name]["text_bytes"] for name in splits},
    )


_map = partial(np.memmap, mode="r")


def _is_whole(folder: Path, meta: dict[str, Any]) -> bool:
    """Whether every file that `meta` names exists in its full size."""
    sizes: dict[str, int] = meta["sizes"]
    return all((folder / name).stat().st_size == size for name, size in sizes.items())


def check_length(tokens: TokenSet, context: int, targets: int) -> None:
    """Raises UserError unless the text is long enough.

    A training window of `context` and `targets` validation targets must fit. Of a test text, which is read as a whole,
    there must be one token to predict.
    """
    train, validation = len(tokens.train), len(tokens.validation)
    if train <= context:
        raise UserError(
            f"the training text is {train:,} tokens long, and a context of {context:,} needs {context + 1:,}; give "
            "more text, or lower model.context",
            key="corpus.train",
        )
    if validation <= targets:
        fewer = f", or set training.validation_tokens to {validation - 1:,}" if validation > 1 else ""
        raise UserError(
            f"the validation text is {validation:,} tokens long, and {targets:,} validation targets need "
            f"{targets + 1:,}; give more text{fewer}",
            key="corpus.validation",
        )
    if tokens.test is not None and len(tokens.test) < 2:
        raise UserError("the test text is 1 token long, and a loss needs 2; give more text", key="corpus.test")
