"""The keys of ``corpus:``: which text is read and how it becomes tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import PlainValidator

from msarch.config.corpus import PYTHON_DOCS, CorpusConfig, Source, TokenizerConfig
from msarch.errors import UserError, quoted, unknown
from search.space.schema.fields import Spec, Word, key
from search.space.values.range_parser import parse_domain
from search.space.values.ranges import Domain, Values
from search.space.values.value_types import WHOLE, text

_BYTES = Values((256,))


@dataclass(frozen=True, slots=True)
class TokenizerSpec:
    """How text becomes tokens.

    Attributes:
        kind: "bpe", "bytes" or "file".
        sizes: of the vocabulary; for a file unknown until it is read, and 256.
        file: path of a ``tokenizer.json``, or empty.
    """

    kind: Literal["bpe", "bytes", "file"]
    sizes: Domain = _BYTES
    file: str = ""


def parse_patterns(raw: object) -> tuple[str, ...]:
    """One pattern or a list of them. Raises UserError."""
    items = raw if isinstance(raw, list) else [raw]
    if not items or not all(isinstance(item, str) and item.strip() for item in items):
        raise UserError(f"must be a file pattern or a list of them, such as 'books/*.txt', got {quoted(raw)}")
    return tuple(items)


def parse_source(raw: object) -> str:
    """The embedded corpus is the only one with a name of its own. Raises UserError."""
    if raw != PYTHON_DOCS:
        name = raw if isinstance(raw, str) else quoted(raw)
        raise UserError(f"{unknown('source', name, [PYTHON_DOCS])}; for files write train:, else huggingface:")
    return PYTHON_DOCS


def parse_tokenizer(raw: object) -> TokenizerSpec:
    """``bytes``, ``{bpe: SIZE}`` or ``{file: PATH}``. Raises UserError."""
    if raw == "bytes":
        return TokenizerSpec("bytes")
    if isinstance(raw, str):
        legal = unknown("tokenizer", raw, ("bpe", "bytes", "file"))
        raise UserError(f"{legal}; write bytes, {{bpe: 2048}} or {{file: PATH}}")
    if not isinstance(raw, dict) or not raw:
        raise UserError(f"must be bytes, {{bpe: 2048}} or {{file: tokenizer.json}}, got {quoted(raw)}")
    for name in raw:
        if name not in ("bpe", "file"):
            raise UserError(unknown("key", name, ("bpe", "file")), key=name)
    if len(raw) > 1:
        raise UserError("is either {bpe: SIZE} or {file: PATH}, got both")
    try:
        return _parse_sized(raw)
    except UserError as error:
        raise error.under(next(iter(raw))) from None


def _parse_sized(raw: dict[str, object]) -> TokenizerSpec:
    if "file" in raw:
        return TokenizerSpec("file", file=text(raw["file"]))
    sizes = parse_domain(raw["bpe"], WHOLE)
    for place, size in sizes.probes():
        try:
            TokenizerConfig(kind="bpe", vocab_size=size)
        except UserError as error:
            raise UserError(error.message, key=place.removeprefix(".")) from None
    return TokenizerSpec("bpe", sizes)


Patterns = Annotated[tuple[str, ...], PlainValidator(parse_patterns)]


class CorpusSpec(Spec):
    """Which text is read. Without this section it is the embedded corpus, `source: python-docs`: the documentation
    that CPython ships, on every machine, without a download.

    Name files (`train`), or a Hugging Face data set (`huggingface`), or neither. Relative paths start at the
    directory in which the command is run, as the shell's do. Where `validation` is left out, validation and test
    text are split off the training documents.
    """

    source: Annotated[str, PlainValidator(parse_source)] = key(
        "The embedded corpus.", value=PYTHON_DOCS, example="source: python-docs", default="", default_text="python-docs"
    )
    train: Patterns = key(
        "Training text: file patterns (text, csv, jsonl, parquet; see [text](text.md)), or the split of a Hugging "
        "Face data set.",
        value="pattern or list of patterns",
        example='train: "books/train/*.txt"',
        default=(),
        default_text="none",
    )
    validation: Patterns = key(
        "Validation text, by which candidates are judged.",
        value="pattern or list of patterns",
        example='validation: "books/validation/*.txt"',
        default=(),
        default_text="split off `train`",
    )
    test: Patterns = key(
        "Test text. A search never reads it.",
        value="pattern or list of patterns",
        example='test: "books/test/*.txt"',
        default=(),
        default_text="none",
    )
    column: Word = key(
        "The column that holds the text, in tables (csv, jsonl, parquet) and Hugging Face data sets.",
        value="word",
        example="column: text",
        default="text",
        default_text="text",
    )
    huggingface: Word = key(
        "A Hugging Face data set, by name.",
        value="word",
        example="huggingface: Salesforce/wikitext",
        default="",
        default_text="none",
    )
    config: Word = key(
        "The configuration of that data set, where it has several.",
        value="word",
        example="config: wikitext-103-raw-v1",
        default="",
        default_text="none",
    )
    tokenizer: Annotated[TokenizerSpec, PlainValidator(parse_tokenizer)] = key(
        "How text becomes tokens: `bytes`, a byte-level BPE of so many tokens trained on the training text (may vary; "
        "candidates are then compared by `bits_per_byte`), or a `tokenizer.json`.",
        value="`bytes`, `{bpe: SIZE}` or `{file: PATH}`",
        example="tokenizer: {bpe: 2048}",
        default=TokenizerSpec("bpe", Values((1024,))),
        default_text="{bpe: 1024}",
    )
    content: Word = key(
        "Hash of the text, as a finished search records it: another text is then refused.",
        value="word",
        example="content: 3f1c0a9e5d7b2468",
        default="",
        default_text="not checked",
    )

    def config_for(self) -> CorpusConfig:
        """The corpus; a varying vocabulary at its smallest. Raises UserError."""
        if self.source and (self.train or self.huggingface):
            other = "train" if self.train else "huggingface"
            raise UserError(f"is another corpus than source: {PYTHON_DOCS}; leave one of them out", key=other)
        if self.config and not self.huggingface:
            raise UserError("has no effect without huggingface: NAME; leave it out", key="config")
        source: Source = "huggingface" if self.huggingface else "files" if self.train else "python-docs"
        return CorpusConfig(
            source=source,
            name=self.huggingface,
            config=self.config,
            train=self.train,
            validation=self.validation,
            test=self.test,
            column=self.column,
            tokenizer=self._tokenizer(),
            content=self.content,
        )

    def _tokenizer(self) -> TokenizerConfig:
        tokenizer = self.tokenizer
        return TokenizerConfig(kind=tokenizer.kind, file=tokenizer.file, vocab_size=tokenizer.sizes.smallest)
