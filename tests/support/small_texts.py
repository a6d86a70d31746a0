"""Texts of a few hundred lines as files of a corpus, and the cache that they are prepared in."""

from __future__ import annotations

from pathlib import Path

from msarch.config.corpus import CorpusConfig, TokenizerConfig

BYTES = TokenizerConfig(kind="bytes")
LINES = [f"line {number} of a text about {number * number} things, naïve café\n" for number in range(400)]


def corpus_in(folder: Path) -> CorpusConfig:
    """Two files to train on and one for validation, written into the folder."""
    (folder / "train").mkdir()
    (folder / "train/a.txt").write_text("".join(LINES[:200]))
    (folder / "train/b.txt").write_text("".join(LINES[200:300]))
    (folder / "validation.txt").write_text("".join(LINES[300:]))
    return CorpusConfig(source="files", train=("train/*.txt",), validation=("validation.txt",), tokenizer=BYTES)


def folders(cache: Path) -> list[Path]:
    """What a cache holds."""
    return [path for path in cache.iterdir() if path.is_dir()]
