"""Which text is read and how it becomes tokens, as frozen dataclasses. Nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal, cast

from msarch.config.checks import LARGEST_VOCABULARY, check_types
from msarch.errors import UserError

PYTHON_DOCS = "python-docs"
SPLITS = ("train", "validation", "test")

Source = Literal["python-docs", "files", "huggingface"]
_LEFT_OUT = cast("Source", "")  # replaced as soon as the other fields are known, so that every corpus has a source


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig:
    """How text becomes tokens.

    Attributes:
        kind: "bpe" (byte-level BPE trained on the training split), "bytes" or "file".
        vocab_size: of a "bpe", special tokens included; 256 for "bytes"; for "file" what the file holds.
        file: path of a ``tokenizer.json``, where `kind` is "file".
    """

    kind: Literal["bpe", "bytes", "file"] = "bpe"
    vocab_size: int = 1024
    file: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        if self.kind == "bpe" and self.vocab_size < 257:
            raise UserError(f"a byte-level vocabulary has at least 257 tokens, got {self.vocab_size}", key="vocab_size")
        if self.vocab_size > LARGEST_VOCABULARY:
            raise UserError(f"must be at most {LARGEST_VOCABULARY:,}, got {self.vocab_size}", key="vocab_size")
        if (self.kind == "file") != bool(self.file):
            raise UserError("a tokenizer file needs its path, and only it has one", key="file")


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig:
    """Which text is read.

    Attributes:
        source: "python-docs" (embedded), "files" or "huggingface". Where it is left out it follows from the rest:
            "huggingface" with `name`, else "files" with `train`, else "python-docs".
        name: of a Hugging Face data set, such as "wikitext".
        config: its configuration, where it has several.
        train, validation, test: glob patterns of files, or names of splits. Validation and test may be
            left out: they are then split off the training documents.
        column: the column that holds the text, in tables (csv, jsonl, parquet) and Hugging Face data sets.
        tokenizer: how text becomes tokens.
        content: hash of the text itself, once it has been read; a corpus with another content is refused.
    """

    source: Source = _LEFT_OUT
    name: str = ""
    config: str = ""
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    column: str = "text"
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    content: str = ""

    def __post_init__(self) -> None:
        if self.source == _LEFT_OUT:
            # The class is frozen for others; here the corpus is still being made.
            object.__setattr__(self, "source", "huggingface" if self.name else "files" if self.train else PYTHON_DOCS)
        check_types(self)
        if self.source == PYTHON_DOCS and self.train:
            raise UserError(
                "has no effect on the embedded text; leave out source python-docs to read files", key="train"
            )
        if self.source == "files" and not self.train:
            raise UserError("files need their names, such as 'books/train/*.txt'", key="train")
        if (self.source == "huggingface") != bool(self.name):
            raise UserError("a Hugging Face data set needs its name, and only it has one", key="name")
        if (self.validation or self.test) and not self.train:
            raise UserError("names validation or test text but no training text", key="train")
        if self.test and not self.validation:
            raise UserError("names test text but no validation text; add it, or leave test out", key="validation")

    def portable(self) -> CorpusConfig:
        """The same corpus by name and content: absolute paths are cut to their last two parts."""
        if self.source != "files":
            return replace(self, tokenizer=_portable_tokenizer(self.tokenizer))
        return replace(
            self,
            tokenizer=_portable_tokenizer(self.tokenizer),
            train=tuple(map(_short, self.train)),
            validation=tuple(map(_short, self.validation)),
            test=tuple(map(_short, self.test)),
        )


def _short(path: str) -> str:
    pure = PurePath(path)
    return str(PurePath(*pure.parts[-2:])) if pure.is_absolute() else path


def _portable_tokenizer(tokenizer: TokenizerConfig) -> TokenizerConfig:
    return replace(tokenizer, file=_short(tokenizer.file)) if tokenizer.file else tokenizer
