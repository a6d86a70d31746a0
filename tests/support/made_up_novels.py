"""A folder of made-up text, as the benchmarks that train on novels read it."""

from __future__ import annotations

import random
from pathlib import Path


def write_novels(folder: Path) -> Path:
    """Write train/one.txt and validation/one.txt, with enough different words for a BPE of 2,048; the folder."""
    chance = random.Random(0)
    known = ["".join(chance.choices("aeinorst", k=chance.randint(2, 7))) for _ in range(2_000)]
    words = chance.choices(known, k=8_000)
    for split in ("train", "validation"):
        (folder / split).mkdir(parents=True)
        (folder / split / "one.txt").write_text(" ".join(words if split == "train" else words[1_000:2_500]))
    return folder
