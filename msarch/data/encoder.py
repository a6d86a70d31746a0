"""Fills a cache folder: trains or loads the tokenizer, encodes every split, checks what it wrote."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from msarch.config.corpus import TokenizerConfig
from msarch.data.corpus import Corpus
from msarch.data.long_documents import split_into_batches
from msarch.data.survey import ContentHash
from msarch.data.tokenizer import Tokenizer, make_tokenizer
from msarch.errors import UserError


@dataclass(slots=True)
class _Count:
    """What was written of one split."""

    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0
    token_bytes: int = 0  # bytes that the tokens decode to; equals text_bytes only where every one is known


def encode_corpus(corpus: Corpus, config: TokenizerConfig, folder: Path, *, base: Path, fingerprint: str) -> None:
    """Writes the tokens of `corpus`, its tokenizer and ``meta.json`` into the empty `folder`.

    Raises UserError where the tokenizer does not fit, or the text changes while it is read.
    """
    import tokenizers

    tokenizer = make_tokenizer(config, corpus.splits["train"](), base=base)
    tokenizer.save(folder / "tokenizer.json")
    dtype = np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")
    counts = _write_splits(corpus, tokenizer, folder, dtype)
    exact = all(count.text_bytes == count.token_bytes for count in counts.values())
    if exact and tokenizer.token_bytes is not None:
        np.save(folder / "token_bytes.npy", tokenizer.token_bytes)
    meta: dict[str, Any] = {
        "fingerprint": fingerprint,
        "content": corpus.content,
        "vocab_size": tokenizer.vocab_size,
        "dtype": dtype.str,
        "exact_bytes": exact,
        "splits": {
            name: {"tokens": c.tokens, "text_bytes": c.text_bytes, "documents": c.documents}
            for name, c in counts.items()
        },
        "sizes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        "versions": {"python": sys.version.split()[0], "tokenizers": tokenizers.__version__, "numpy": np.__version__},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def _write_splits(corpus: Corpus, tokenizer: Tokenizer, folder: Path, dtype: np.dtype[Any]) -> dict[str, _Count]:
    content = ContentHash()
    counts = {}
    for name, documents in corpus.splits.items():
        with (folder / f"{name}.bin").open("wb") as file:
            counts[name] = _write_split(content.watch(name, documents), tokenizer, file, dtype)
            file.flush()
            os.fsync(file.fileno())  # the folder takes its name only after its tokens are on the disk
        if not counts[name].tokens:
            raise UserError(f"the tokenizer makes no token of the {name} text", key="corpus.tokenizer")
    if content.hexdigest() != corpus.content:
        raise UserError("the text changed while it was read; start again when it is complete", key="corpus.train")
    return counts


def _write_split(documents: Iterator[str], tokenizer: Tokenizer, file: BinaryIO, dtype: np.dtype[Any]) -> _Count:
    count = _Count()
    for batch in split_into_batches(documents):
        encoded = tokenizer.encode_batch([piece for piece, _ in batch])
        for (piece, begins), tokens in zip(batch, encoded, strict=True):
            if begins and count.documents and tokenizer.separator is not None:
                _append(np.array([tokenizer.separator]), tokenizer, file, dtype, count)
            count.documents += begins
            count.text_bytes += len(piece.encode())
            _append(tokens, tokenizer, file, dtype, count)
    return count


def _append(tokens: NDArray[Any], tokenizer: Tokenizer, file: BinaryIO, dtype: np.dtype[Any], count: _Count) -> None:
    if not len(tokens):
        return
    assert tokens.max() < tokenizer.vocab_size, f"token {tokens.max()} of a vocabulary of {tokenizer.vocab_size}"
    file.write(tokens.astype(dtype).tobytes())
    count.tokens += len(tokens)
    if tokenizer.token_bytes is not None:
        count.token_bytes += int(tokenizer.token_bytes[tokens].sum())
