"""A corpus says where its text comes from, or it follows from what is named."""

from __future__ import annotations

from typing import Any

import pytest

from msarch import CorpusConfig, UserError


def test_the_source_follows_from_what_is_named() -> None:
    assert CorpusConfig().source == "python-docs"
    assert CorpusConfig(train=("books/*.txt",)) == CorpusConfig(source="files", train=("books/*.txt",))
    assert CorpusConfig(name="wikitext") == CorpusConfig(source="huggingface", name="wikitext")
    assert CorpusConfig(name="wikitext", train=("train",)).source == "huggingface"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "python-docs", "train": ("a.txt",)}, "train: has no effect on the embedded text; leave out"),
        ({"source": "files"}, "train: files need their names"),
        ({"source": "huggingface"}, "name: a Hugging Face data set needs its name"),
        ({"source": "files", "train": ("a",), "name": "wikitext"}, "name: .* only it has one"),
        ({"validation": ("a.txt",)}, "train: names validation or test text but no training text"),
        ({"source": "file", "train": ("a.txt",)}, "source: unknown source 'file', did you mean 'files'"),
        ({"train": "a.txt"}, "train: must be a list of strings, got 'a.txt'"),
    ],
)
def test_text_that_would_not_be_read_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        CorpusConfig(**values)
