"""A text for trials to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from msarch.config.corpus import CorpusConfig, TokenizerConfig


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CorpusConfig:
    """Its files lie in `tmp_path`, and so does the cache."""
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    for name, count in (("train", 900), ("validation", 90)):
        (tmp_path / f"{name}.txt").write_text("a coarse and a fine scale " * count)
    return CorpusConfig(
        source="files",
        train=("train.txt",),
        validation=("validation.txt",),
        tokenizer=TokenizerConfig(kind="bytes", vocab_size=256),
    )
