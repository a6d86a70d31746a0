"""The keys of ``corpus:``: which text is read and how it becomes tokens."""

from __future__ import annotations

from typing import Any

from msarch.config.corpus import PYTHON_DOCS, CorpusConfig, TokenizerConfig
from msarch.errors import UserError, unknown
from search.space.schema.fields import Spec, key, leaf
from search.space.values.range_parser import parse_parameter
from search.space.values.ranges import Parameter, Values
from search.space.values.value_types import WHOLE, shown, text

TOKENIZERS = ("bpe", "bytes", "file")


def parse_patterns(raw: object) -> tuple[str, ...]:
    """One pattern or a list of them. Raises UserError."""
    items = raw if isinstance(raw, list) else [raw]
    if not items or not all(isinstance(item, str) and item.strip() for item in items):
        raise UserError(f"must be a file pattern or a list of them, such as 'books/*.txt', got {shown(raw)}")
    return tuple(items)


def parse_source(raw: object) -> str:
    """The embedded corpus is the only one with a name of its own. Raises UserError."""
    if raw != PYTHON_DOCS:
        name = raw if isinstance(raw, str) else shown(raw)
        raise UserError(f"{unknown('source', name, [PYTHON_DOCS])}; for files write train:, else huggingface:")
    return PYTHON_DOCS


def parse_tokenizer(raw: object) -> dict[str, Any]:
    """``bytes``, ``{bpe: SIZE}`` or ``{file: PATH}``, as its kind and value. Raises UserError."""
    if raw == "bytes":
        return {"bytes": Values((256,))}
    if not isinstance(raw, dict) or not raw:
        if isinstance(raw, str):
            raise UserError(f"{unknown('tokenizer', raw, TOKENIZERS)}; write bytes, {{bpe: 2048}} or {{file: PATH}}")
        raise UserError(f"must be bytes, {{bpe: 2048}} or {{file: tokenizer.json}}, got {shown(raw)}")
    for name in raw:
        if name not in ("bpe", "file"):
            raise UserError(unknown("key", name, ("bpe", "file")), key=name)
    if len(raw) > 1:
        raise UserError("is either {bpe: SIZE} or {file: PATH}, got both")
    (name, value), *_ = raw.items()
    try:
        return {name: text(value) if name == "file" else _parse_sizes(value)}
    except UserError as error:
        raise error.under(name) from None


def _parse_sizes(value: object) -> Parameter:
    sizes = parse_parameter(value, WHOLE)
    for place, size in sizes.probes():
        try:
            TokenizerConfig(kind="bpe", vocab_size=size)
        except UserError as error:
            raise UserError(error.message, key=place.removeprefix(".")) from None
    return sizes


class CorpusSpec(Spec):
    """Which text is read. Without this section it is the embedded corpus, `source: python-docs`: the documentation
    that CPython ships, on every machine, without a download.

    Name files (`train`), or a Hugging Face data set (`huggingface`), or neither. Relative paths start at the
    directory in which the command is run, as the shell's do. Where `validation` is left out, validation and test
    text are split off the training documents.
    """

    source: leaf(parse_source) = key(  # type: ignore[valid-type]
        "The embedded corpus.", kind=PYTHON_DOCS, example="source: python-docs", default="", shown="python-docs"
    )
    train: leaf(parse_patterns) = key(  # type: ignore[valid-type]
        "Training text: file patterns (text, csv, jsonl, parquet; see [text](text.md)), or the split of a Hugging Face "
        "data set.",
        kind="pattern or list of patterns", example='train: "books/train/*.txt"', default=(), shown="none",
    )  # fmt: skip
    validation: leaf(parse_patterns) = key(  # type: ignore[valid-type]
        "Validation text, by which candidates are judged.",
        kind="pattern or list of patterns", example='validation: "books/validation/*.txt"', default=(),
        shown="split off `train`",
    )  # fmt: skip
    test: leaf(parse_patterns) = key(  # type: ignore[valid-type]
        "Test text. A search never reads it.",
        kind="pattern or list of patterns", example='test: "books/test/*.txt"', default=(), shown="none",
    )  # fmt: skip
    column: leaf(text) = key(  # type: ignore[valid-type]
        "The column that holds the text, in tables (csv, jsonl, parquet) and Hugging Face data sets.",
        kind="word", example="column: text", default="text", shown="text",
    )  # fmt: skip
    huggingface: leaf(text) = key(  # type: ignore[valid-type]
        "A Hugging Face data set, by name.",
        kind="word",
        example="huggingface: Salesforce/wikitext",
        default="",
        shown="none",
    )
    config: leaf(text) = key(  # type: ignore[valid-type]
        "The configuration of that data set, where it has several.",
        kind="word", example="config: wikitext-103-raw-v1", default="", shown="none",
    )  # fmt: skip
    tokenizer: leaf(parse_tokenizer) = key(  # type: ignore[valid-type]
        "How text becomes tokens: `bytes`, a byte-level BPE of so many tokens trained on the training text (may vary; "
        "candidates are then compared by `bits_per_byte`), or a `tokenizer.json`.",
        kind="`bytes`, `{bpe: SIZE}` or `{file: PATH}`", example="tokenizer: {bpe: 2048}",
        default={"bpe": Values((1024,))}, shown="{bpe: 1024}",
    )  # fmt: skip
    content: leaf(text) = key(  # type: ignore[valid-type]
        "Hash of the text, as a finished search records it: another text is then refused.",
        kind="word", example="content: 3f1c0a9e5d7b2468", default="", shown="not checked",
    )  # fmt: skip

    def config_for(self) -> CorpusConfig:
        """The corpus; a varying vocabulary at its smallest. Raises UserError."""
        if self.source and (self.train or self.huggingface):
            other = "train" if self.train else "huggingface"
            raise UserError(f"is another corpus than source: {PYTHON_DOCS}; leave one of them out", key=other)
        if self.config and not self.huggingface:
            raise UserError("has no effect without huggingface: NAME; leave it out", key="config")
        source = "huggingface" if self.huggingface else "files" if self.train else PYTHON_DOCS
        return CorpusConfig(
            source=source,  # type: ignore[arg-type]
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
        (kind, value), *_ = self.tokenizer.items()
        if kind == "file":
            return TokenizerConfig(kind="file", file=value, vocab_size=256)
        return TokenizerConfig(kind=kind, vocab_size=value.smallest)
