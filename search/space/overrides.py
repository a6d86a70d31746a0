"""``--set KEY=VALUE`` changes one key of a space before it is validated; ``--set KEY=`` leaves the key out."""

from __future__ import annotations

from typing import Any

from msarch.errors import UserError, quoted
from search.space.schema.yaml_reader import Document, Path, format_path, parse_path, read_yaml

_REPLACES: dict[Path, tuple[str, ...]] = {
    ("corpus", "train"): ("source",),
    ("corpus", "huggingface"): ("source", "train", "validation", "test"),
    ("corpus", "source"): ("train", "validation", "test", "huggingface", "config", "column"),
    ("corpus", "tokenizer", "bpe"): ("file",),
    ("corpus", "tokenizer", "file"): ("bpe",),
    ("model", "d_head"): ("n_heads",),
    ("model", "n_heads"): ("d_head",),
    ("search", "tokens"): ("trials",),
    ("search", "trials"): ("tokens",),
}
"""Keys that are removed when another is set: your own text, for example, replaces the corpus that the file names."""


def apply_override(document: Document, override: str) -> None:
    """Sets the KEY of `override` to its VALUE, read as YAML, or removes it where VALUE is empty.

    Raises UserError naming the ``--set``.
    """
    key, separator, written = override.partition("=")
    path = parse_path(key.strip())
    if not separator or not path or format_path(path) != key.strip():
        raise UserError(f"must be KEY=VALUE, such as training.tokens=1M, got {quoted(override)}", key="--set")
    if not written.strip():
        document.data = _without(document.data, path, key.strip(), known=path in document.dropped)
        document.replaced.append(path)
        return
    try:
        value = read_yaml(written, "").data
    except UserError as error:
        raise UserError(error.message, key=f"--set {key.strip()}") from None
    document.data = _set(document.data, path, value, key.strip())
    _drop_replaced(document, path)
    document.replaced.append(path)


def leave_out_trials(document: Document) -> None:
    """Leave `search.trials` out of a space that also has `search.tokens`, which counted where both were allowed."""
    search = document.data.get("search") if isinstance(document.data, dict) else None
    if isinstance(search, dict) and "tokens" in search:
        search.pop("trials", None)


def refuse_unnamed_text(before: Any, document: Document) -> None:
    """Raises UserError where overrides took away what named the text, and named none: no search changes to the
    embedded text unasked.

    `before` is the space as it was without overrides.
    """
    named, now = _corpus_keys(before), _corpus_keys(document.data)
    gone = next((key for key in ("huggingface", "train") if key in named and key not in now), "")
    if not gone or now & {"source", "huggingface"}:
        return
    if "train" in now and (gone == "train" or ("corpus", "train") in document.replaced):
        return  # else it names splits of the data set that is gone
    raise UserError(
        f"the text was named by corpus.{gone}, and nothing names one now; name another with --set corpus.train=FILES, "
        "or write --set corpus.source=python-docs for the embedded text",
        key=f"--set corpus.{gone}",
    )


def _corpus_keys(data: Any) -> set[str]:
    corpus = data.get("corpus") if isinstance(data, dict) else None
    return set(corpus) if isinstance(corpus, dict) else set()


def _set(data: Any, path: Path, value: Any, key: str) -> Any:
    if not path:
        return value
    head, *rest = path
    if isinstance(head, int):
        if not isinstance(data, list) or head >= len(data):
            count = f"{len(data)} items" if isinstance(data, list) else "no list"
            raise UserError(f"there is {count} at [{head}]", key=f"--set {key}")
        return [_set(item, tuple(rest), value, key) if at == head else item for at, item in enumerate(data)]
    # Below a plain word or number, such as `tokenizer: bytes`, a mapping takes its place.
    below = data if isinstance(data, dict) else {}
    return {**below, head: _set(below.get(head), tuple(rest), value, key)}


def _without(data: Any, path: Path, key: str, *, known: bool) -> Any:
    """`data` without the key at `path`. One that is not there is refused unless it is `known`: it may be misspelt."""
    head, *rest = path
    if not isinstance(data, dict) or head not in data:
        if known:
            return data
        raise UserError("the space does not set this key; leave this --set out", key=f"--set {key}")
    if rest:
        return {**data, head: _without(data[head], tuple(rest), key, known=known)}
    return {name: value for name, value in data.items() if name != head}


def _drop_replaced(document: Document, path: Path) -> None:
    mapping = document.data
    for part in path[:-1]:
        mapping = mapping[part]
    for other in _REPLACES.get(path, ()):
        if (*path[:-1], other) not in document.replaced and isinstance(mapping, dict):
            document.dropped += [(*path[:-1], other)] if other in mapping else []
            mapping.pop(other, None)
