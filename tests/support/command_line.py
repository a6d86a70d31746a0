"""The command line as a process of its own, and a small folder to run it in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPACE = """
corpus: {train: "text.txt", tokenizer: bytes}
model:
  context: 32
  d_model: {values: [16, 32]}
  d_head: 16
  variant:
    vanilla: {layers: "1..2@1"}
    top_down: {layers: "1@4 1@1"}
training:
  tokens: 8k
  batch_size: 8
  learning_rate: {min: 3e-3, max: 1e-2, log: true}
  schedule: wsd
  validation_tokens: 300
limits: {memory: 20 MiB}
search: {strategy: prune, trials: 6, startup: 3, seed: 0}
"""


def msarch(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`msarch ...` in `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "msarch", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MSARCH_CACHE": str(cwd / ".cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def fill(folder: Path) -> Path:
    """Put a text and a space into a folder."""
    words = (f"{a} {b} {c}. " for a in ("one", "two", "three") for b in ("big", "small") for c in ("cats", "dogs"))
    (folder / "text.txt").write_text("".join(words) * 200)
    (folder / "space.yaml").write_text(SPACE)
    return folder
